"""What a release needs of the host's environment file: which keys must have a value, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields

#: What is added to the file's name where it is encrypted with age.
SEALED = ".age"
MAX_KEYS = 1000

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# A value that decides something is a word such as "true"; it stands in fairway.toml, so it is no secret.
EQUALS = re.compile(r"[^\x00-\x1f\x7f']{1,200}")


@dataclass(frozen=True)
class Condition:
    """A key that is required when another one has a value, or has exactly the value ``equals``."""

    key: str
    when: str
    equals: str | None = None

    def holds(self, values: Mapping[str, str]) -> bool:
        """Say whether the key is required with these values."""
        found = values.get(self.when, "")
        return found == self.equals if self.equals is not None else bool(found)

    def __str__(self) -> str:
        """Say it in words, which hold no value but the one that fairway.toml names."""
        return f"required when {self.when} is {'set' if self.equals is None else repr(self.equals)}"


@dataclass(frozen=True)
class EnvironmentFile:
    """The host's file of long-lived settings, and the keys it must and may have.

    ``optional`` decides nothing: it says which keys are known, so that an unknown one stands out.
    """

    file: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()

    @property
    def sealed_file(self) -> str:
        """The name of the file where it is encrypted."""
        return self.file + SEALED

    @property
    def declared(self) -> tuple[str, ...]:
        """Every key that is known, each once: the required ones, the conditional ones, the optional ones."""
        return tuple(dict.fromkeys((*self.required, *(one.key for one in self.when), *self.optional)))

    def why_required(self, key: str, values: Mapping[str, str]) -> str:
        """Say why a key must have a value with these others; nothing when it need not."""
        if key in self.required:
            return "required"
        return next((str(one) for one in self.when if one.key == key and one.holds(values)), "")

    def lacking(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return each key that must have a value and has none, with the reason."""
        reasons = {key: self.why_required(key, values) for key in self.declared if not values.get(key)}
        return {key: reason for key, reason in reasons.items() if reason}

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in a release."""
        return {
            "file": self.file,
            "required": list(self.required),
            "optional": list(self.optional),
            "when": [{"key": one.key, "if": one.when, "equals": one.equals} for one in self.when],
        }


def environment_file(fields: Fields, file: str) -> EnvironmentFile:
    """Take the keys of an environment file out of a document; older ones have only what is required.

    Raises ``Invalid`` naming the key that is wrong.
    """
    environment = EnvironmentFile(
        file,
        required=_keys(fields, "required"),
        optional=fields.since("optional", lambda: _keys(fields, "optional"), ()),
        when=fields.since(
            "when", lambda: tuple(_condition(item) for item in fields.objects("when", max_items=MAX_KEYS)), ()
        ),
    )
    fields.end()
    return environment


def _keys(fields: Fields, name: str) -> tuple[str, ...]:
    keys = fields.texts(name, max_items=MAX_KEYS)
    for key in keys:
        if not KEY.fullmatch(key):
            raise Invalid(f"release.json.env: {name} must name variables, not {key[:60]!r}")
    return keys


def _condition(fields: Fields) -> Condition:
    condition = Condition(
        fields.matching("key", KEY, "a variable's name"),
        fields.matching("if", KEY, "a variable's name"),
        fields.nullable("equals", lambda: fields.matching("equals", EQUALS, "one line without a single quote")),
    )
    fields.end()
    return condition
