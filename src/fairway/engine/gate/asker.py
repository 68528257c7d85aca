"""A service of a rendered Compose model as what asks for something, and what the checks of its keys share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from fairway.engine.contract.manifest import Release
from fairway.engine.gate.paths import Ground
from fairway.engine.gate.rules import Finding, found
from fairway.engine.gate.shapes import is_set, listed, named
from fairway.engine.model import LABEL

_RESERVED_LABELS = (LABEL, "com.docker.compose.")


@dataclass(frozen=True)
class Asker:
    """A service, the release it is of, and the host it would run on."""

    name: str
    service: Mapping[str, Any]
    release: Release
    ground: Ground

    def at(self, key: str) -> str:
        return f"services.{self.name}.{key}"

    def found(self, rule: str, detail: str = "", *, says: str) -> Finding:
        return found(rule, self.name, detail, says=f"the service {self.name!r} {says}")

    def unknown(self, key: str) -> Finding:
        return self.found("unknown-key", key, says=f"has the key {key!r}, which this version of Fairway does not know")


#: Gives what is wrong with the value of one key.
Check = Callable[[Asker, Any], Iterator[Finding]]


def switch(rule: str, says: str) -> Check:
    """Return a check of a key that may not be there, or not be on."""

    def check(asker: Asker, value: Any) -> Iterator[Finding]:
        if is_set(value):
            yield asker.found(rule, says=says)

    return check


def each(rule: str, key: str, says: str) -> Check:
    """Return a check of a list of which no entry may be there."""

    def check(asker: Asker, value: Any) -> Iterator[Finding]:
        for item in listed(value, asker.at(key)):
            yield asker.found(rule, str(item), says=f"{says} {item}")

    return check


def label_findings(of: str, kind: str, value: Any, where: str) -> Iterator[Finding]:
    """Give the labels that are Fairway's or Compose's own."""
    for label in named(value, where):
        if label.startswith(_RESERVED_LABELS):
            yield found("reserved-label", of, label, says=f"the {kind} {of!r} has the label {label}")
