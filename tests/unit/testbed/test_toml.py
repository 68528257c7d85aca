"""What the testbed writes as TOML reads back as the same."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from testbed import toml

_scalars = st.one_of(
    st.text(st.characters(codec="ascii", exclude_characters="\x7f")), st.integers(-(2**53), 2**53), st.booleans()
)
_documents = st.recursive(
    st.dictionaries(
        st.text(st.characters(codec="ascii", exclude_characters="\x7f"), min_size=1), _scalars | st.lists(_scalars)
    ),
    lambda tables: st.dictionaries(st.text("abc-_. \"'", min_size=1), tables | _scalars),
    max_leaves=8,
)


@given(_documents)
def test_a_document_reads_back_as_it_was(document: dict[str, object]) -> None:
    assert tomllib.loads(toml.dumps(document)) == document
