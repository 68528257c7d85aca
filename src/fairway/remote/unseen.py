"""A host that cannot be looked at yet, for the plan of what it will be made into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairway.engine.groundwork.machine import NOT_FOUND, Account, Found
from fairway.engine.nginx.server import NginxConfig
from fairway.engine.process import Completed


@dataclass(frozen=True)
class Unseen:
    """A host of which only a few files are known: what is planned for one that has no python3 yet to look by."""

    files: dict[str, str] = field(default_factory=dict)
    systemd: bool = True
    ipv6: bool = True

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def find(self, path: str) -> Found | None:
        return None

    def real(self, path: str) -> str:
        return path

    def which(self, program: str) -> bool:
        return False

    def account(self, name: str) -> Account | None:
        return None

    def has_group(self, name: str) -> bool:
        return False

    def listening(self) -> list[tuple[str, int]]:
        return []

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 60.0) -> Completed:
        return Completed(NOT_FOUND, "", "")

    def nginx(self) -> NginxConfig:
        return NginxConfig(installed=False)

    def nginx_problem(self) -> str:
        return ""

    def ask(self, name: str, path: str) -> str:
        return ""

    def served_certificate(self, name: str) -> str:
        return ""
