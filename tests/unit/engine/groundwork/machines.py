"""A machine that is nothing but what a test says of it, and wishes to hold against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fairway.engine.contract.environment import Condition, EnvironmentFile
from fairway.engine.groundwork.machine import Account, Found
from fairway.engine.groundwork.wish import Site, Tls, Wish
from fairway.engine.nginx.server import NginxConfig
from fairway.engine.process import Completed

DEBIAN_12 = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
DEBIAN_13 = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n'
UBUNTU_22 = 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n'
UBUNTU_24 = 'PRETTY_NAME="Ubuntu 24.04 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
FEDORA = 'PRETTY_NAME="Fedora Linux 42"\nID=fedora\nVERSION_ID=42\nVERSION_CODENAME=""\n'

ENV = EnvironmentFile(
    ".env.production",
    required=("POSTGRES_PASSWORD", "NEXTAUTH_URL", "NEXTAUTH_SECRET", "STRIPE_SECRET_KEY"),
    optional=("OPENAI_API_KEY",),
    when=(Condition("SMTP_PASSWORD", "SMTP_USER"),),
)
FILES = Site("www.example.com", Tls.FILES, "/etc/ssl/site.crt", "/etc/ssl/private/site.key")
CERTBOT = Site("www.example.com", Tls.CERTBOT, email="ops@example.com")
PLAIN = Site("www.example.com", Tls.NONE)
WISH = Wish("shop", "production", "deploy", "/opt/shop", "127.0.0.1:3000", ENV)
SERVED = replace(WISH, site=FILES)


@dataclass
class Machine:
    """Answers programs from ``answers``, by their whole line or its beginning; keeps what is written and run."""

    files: dict[str, str] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)
    accounts: dict[str, Account] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    answers: dict[str, str | Completed] = field(default_factory=dict)
    ports: list[tuple[str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    serving: str = ""
    certificate: str = ""
    systemd: bool = True
    ipv6: bool = True
    ran: list[list[str]] = field(default_factory=list)
    reloads: int = 0

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def find(self, path: str) -> Found | None:
        return self.found.get(path) or (Found(0, 0, 0o644, False) if path in self.files else None)

    def real(self, path: str) -> str:
        return self.links.get(path, path)

    def which(self, program: str) -> bool:
        return program in self.programs

    def account(self, name: str) -> Account | None:
        return self.accounts.get(name)

    def has_group(self, name: str) -> bool:
        return name in self.groups

    def listening(self) -> list[tuple[str, int]]:
        return self.ports

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 60.0) -> Completed:
        self.ran.append(list(argv))
        line = " ".join(argv)
        for asked, said in self.answers.items():
            if line.startswith(asked):
                return said if isinstance(said, Completed) else Completed(0, said, "")
        return Completed(127, "", "not found")

    def stream(self, argv: Sequence[str], tell: Callable[[str], None], *, timeout_s: float) -> int:
        done = self.run(argv)
        for text in done.stdout.splitlines():
            tell(text)
        return done.returncode

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        self.files[path] = text

    def write_new(self, path: str, text: str, owner: Account) -> bool:
        if path in self.files:
            return False
        self.files[path] = text
        self.found[path] = Found(owner.uid, owner.gid, 0o600, False)
        return True

    def make_directory(self, path: str, *, mode: int = 0o755, gid: int = 0) -> None:
        self.found[path] = Found(0, gid, mode, True)

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def nginx(self) -> NginxConfig:
        return NginxConfig(True, {**self.texts, **{k: v for k, v in self.files.items() if "/nginx/" in k}})

    def nginx_problem(self) -> str:
        return self.problems.pop(0) if self.problems else ""

    def reload_nginx(self) -> None:
        self.reloads += 1

    def ask(self, name: str, path: str) -> str:
        return self.serving

    def served_certificate(self, name: str) -> str:
        return self.certificate


def ready(**changes: Any) -> Machine:
    """Return a machine on which all is well but the site."""
    machine = Machine(
        files={"/etc/os-release": DEBIAN_13, "/etc/docker/daemon.json": '{"log-opts": {"max-size": "10m"}}'},
        found={
            "/opt/shop": Found(0, 1000, 0o1775, True),
            "/opt/shop/.env.production": Found(1000, 1000, 0o600, False),
        },
        programs={"docker", "dockerd", "age", "nginx", "certbot"},
        accounts={"deploy": Account("deploy", 1000, 1000, "/home/deploy", ("docker",))},
        groups={"docker"},
        answers={
            "docker compose version": "2.26.1-4\n",
            "docker version": "26.1.5\n",
            "dpkg-query": "docker.io installed\nca-certificates installed\n",
            "nginx -v": Completed(0, "", "nginx version: nginx/1.26.3\n"),
        },
    )
    machine.files["/opt/shop/.env.production"] = "".join(f"{key}=x\n" for key in ENV.required)
    for name, value in changes.items():
        setattr(machine, name, value)
    return machine
