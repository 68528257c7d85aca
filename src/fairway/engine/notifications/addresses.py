"""The addresses of receivers: in the host's environment file, in this process's memory, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fairway.engine.contract.envtext import scan_env
from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.envfile import read_source
from fairway.engine.layout import Layout
from fairway.engine.notifications.receivers import Notifications
from fairway.engine.redact import Redactor, address_parts

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9]{1,11})://[\x21-\x7e]{1,4000}")
# Of these the host is no secret; of others, such as Slack's, it is a token.
_NAMES_ITS_HOST = re.compile(r"(?:json|xml|form|mailto|gotify|matrix|mmost|rocket|xmpp)s?")
_HOST = re.compile(r"[a-z]+://(?:[^/?#]*@)?(?P<host>[^/?#:@]+)")


@dataclass(frozen=True)
class Addresses:
    """The values of the environment file: the receivers' addresses, and what must not be told."""

    values: Mapping[str, str]
    keys: tuple[str, ...]
    #: Lines that cannot be taken may have a part of a secret in them.
    others: tuple[str, ...] = ()

    def of(self, key: str) -> str:
        """Return an address. Raises ``Invalid`` for one that is missing, or none."""
        value = self.values.get(key, "")
        if not value:
            raise Invalid(f"the environment file has no value for {key}", hint=f"add the line: {key}='<apprise URL>'")
        if not _ADDRESS.fullmatch(value):
            raise Invalid(f"the value of {key} is not an apprise URL", why="it looks like scheme://..., in one line")
        return value

    def scheme(self, key: str) -> str:
        """Return which service it is, as apprise calls it; empty when that cannot be told."""
        found = _ADDRESS.fullmatch(self.values.get(key, ""))
        return found["scheme"] if found else ""

    @property
    def clean(self) -> Redactor:
        """Takes the secrets of the environment file out of a text."""
        masked = {f"SECRET_LINE_{number}": text for number, text in enumerate(self.others)}
        return Redactor({**self.values, **masked}, addresses=self.keys)

    def clean_of(self, key: str) -> Redactor:
        """Takes every part of one address out, too, however short: apprise quotes them when something fails."""
        value = self.values.get(key, "")
        scheme, host = self.scheme(key), _HOST.match(value)
        kept = {host["host"]} if host and _NAMES_ITS_HOST.fullmatch(scheme) else set()
        parts = address_parts(value, least=3) - kept
        masked = {f"SECRET_PART_{number}": part for number, part in enumerate(sorted(parts))}
        return Redactor({**self.values, **masked}, addresses=self.keys)


def read_addresses(layout: Layout, notifications: Notifications) -> Addresses:
    """Read the environment file, as far as it can be taken. Raises ``FairwayError`` when there is none to be read."""
    try:
        source = read_source(layout, notifications.env_file)
    except OSError as error:
        raise Invalid(f"{notifications.env_file} cannot be read", why=error.strerror or "") from None
    found = scan_env(source.text)
    lines = source.text.split("\n")
    others = tuple(_value(lines[problem.line - 1]) for problem in found.problems)
    return Addresses(found.values, notifications.keys, tuple(text for text in others if text))


def try_addresses(layout: Layout, notifications: Notifications) -> Addresses | FairwayError:
    """Return the addresses, or why there are none."""
    try:
        return read_addresses(layout, notifications)
    except FairwayError as error:
        return error


def _value(line: str) -> str:
    return line.partition("=")[2].strip("'\" \r\n") or line.strip()
