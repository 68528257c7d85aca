"""Every operation of the protocol is answered, and by one place."""

from __future__ import annotations

from fairway.engine import serve
from fairway.engine.contract.protocol import Operation
from fairway.engine.operations.table import ANSWERS, TABLES


def test_every_operation_is_answered_in_one_place() -> None:
    own = set(serve._OPERATIONS)
    assert own | set(ANSWERS) == set(Operation)
    assert not own & set(ANSWERS)


def test_each_module_s_table_has_what_it_is_asked_for_and_no_more() -> None:
    for table in set(TABLES.values()):
        assert set(table()) == {operation for operation, asked in TABLES.items() if asked is table}
