"""The corpus: migrations, and what the previous release asks of the schema that they change."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.manifest import Verdict

HERE = Path(__file__).parent
#: What a live PostgreSQL said of each case: written by ``python -m scripts.verdicts --derive``.
TRUTH = HERE / "truth.json"


@dataclass(frozen=True)
class Case:
    """A migration of the corpus.

    ``before`` is done to the schema first; ``queries`` are asked besides the common ones. ``next`` is
    what the next release writes before the previous one is back. ``expect`` is the verdict that the
    case is there to hold. ``limit`` says which assumption the case lies outside of: it shows a limit
    of verdicts on text, and is counted apart.
    """

    name: str
    sql: str
    expect: Verdict
    before: str = ""
    next: str = ""
    queries: tuple[str, ...] = ()
    limit: str = ""

    @property
    def digest(self) -> str:
        """What the truth of the case depends on, shortened."""
        parts = [self.sql, self.before, self.next, *self.queries]
        return hashlib.sha256(json.dumps([*parts, schema(), *common()]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Truth:
    """What became of a case on a live server: whether the previous release runs on, else what broke."""

    runs_on: bool
    why: str = ""
    digest: str = ""


def schema() -> str:
    """Return the SQL that makes the previous release's schema."""
    return (HERE / "schema.sql").read_text(encoding="utf-8")


def common() -> tuple[str, ...]:
    """Return what the previous release asks in every case."""
    lines = (HERE / "queries.sql").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("--"))


def load() -> tuple[Case, ...]:
    """Return the corpus."""
    document = tomllib.loads((HERE / "cases.toml").read_text(encoding="utf-8"))
    return tuple(
        Case(**{**one, "expect": Verdict(one["expect"]), "queries": tuple(one.get("queries", ()))})
        for one in document["case"]
    )


def load_truth() -> dict[str, Truth]:
    """Return what is committed of a live server's answers, by the case's name."""
    return {name: Truth(**one) for name, one in json.loads(TRUTH.read_text(encoding="utf-8")).items()}


def save_truth(truth: dict[str, Truth]) -> None:
    """Write what a live server answered."""
    document = {name: vars(one) for name, one in truth.items()}
    TRUTH.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
