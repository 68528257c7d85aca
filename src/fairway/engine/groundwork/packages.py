"""Programs: Docker Engine and Compose, age, nginx, certbot, by apt.

Sources: apt-get(8), sources.list(5), and Docker's manual for Debian and Ubuntu.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fairway.engine.contract.errors import Failed
from fairway.engine.groundwork.aptkey import check_key
from fairway.engine.groundwork.distribution import Distribution, Source, distribution
from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.wants import Look, Tell
from fairway.engine.groundwork.wish import Tls, Wish

MIN_COMPOSE = (2, 24, 4)
OS_RELEASE = "/etc/os-release"
DOCKER_FINGERPRINT = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
_REPOSITORY = "https://download.docker.com/linux"
_SOURCES = "/etc/apt/sources.list.d/fairway-docker.sources"
_KEYRING = "/etc/apt/keyrings/fairway-docker.asc"
_FETCHED = "/etc/apt/keyrings/fairway-docker.asc.fetched"
_DOCKERS_OWN = ("docker-ce", "docker-ce-cli", "containerd.io")
_DOCKERS_COMPOSE = "docker-compose-plugin"
_APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300")
_INSTALL = (
    *_APT,
    # With -y alone apt takes away what conflicts: the containerd.io that something else runs by, for docker.io.
    *(
        "--no-remove",
        "--no-install-recommends",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
    ),
    "install",
)
_PATIENCE_S = 1800.0
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Present:
    """What a machine has: ``docker`` the package that Docker came in (``""`` without one), None without Docker."""

    docker: str | None = None
    compose: tuple[int, ...] | None = None
    programs: frozenset[str] = frozenset()
    certificates: bool = False

    @property
    def compose_is_good(self) -> bool:
        """Whether Compose is there and new enough."""
        return self.compose is not None and self.compose >= MIN_COMPOSE


@dataclass(frozen=True)
class Choice:
    """What is to be installed, and from where; ``blocked`` says why that is not for Fairway to do.

    ``note`` is about what some things need and nothing waits for.
    """

    packages: tuple[str, ...] = ()
    from_docker: bool = False
    note: str = ""
    blocked: str = ""
    hint: str = ""


def choose(system: Distribution | None, present: Present, wish: Wish) -> Choice:
    """Decide what is to be installed on a machine that has this."""
    docker, from_docker, problem = _choose_docker(system, present)
    if problem.blocked:
        return problem
    servers: list[str] = []
    if wish.site is not None:
        servers = ["nginx", *(["certbot"] if wish.site.tls is Tls.CERTBOT else [])]
    needed = (*docker, *(name for name in servers if name not in present.programs))
    useful = tuple(name for name in ("age", *wish.tools) if name not in present.programs)
    if system is None:
        return _by_hand(needed, useful)
    # Docker asks registries, and apt Docker's repository, by https.
    certificates = () if present.certificates else ("ca-certificates",)
    return Choice((*needed, *certificates, *useful), from_docker)


def _by_hand(needed: tuple[str, ...], useful: tuple[str, ...]) -> Choice:
    """Say what is missing on a system whose packages are not known here."""
    if needed:
        return Choice(
            blocked=f"{', '.join(needed)} is missing, and this is no system that Fairway installs on",
            hint="Debian from 12, Ubuntu from 22.04; elsewhere install them yourself, with Compose from 2.24.4",
        )
    note = f"{', '.join(useful)} is missing: encrypted settings and backups, copies of them, and notifications need it"
    return Choice(note=note if useful else "")


def _choose_docker(system: Distribution | None, present: Present) -> tuple[tuple[str, ...], bool, Choice]:
    nothing = Choice()
    if present.docker is not None and present.compose_is_good:
        return (), False, nothing
    if system is None:
        return ("Docker Engine", "Compose"), False, nothing
    if present.docker is None:
        if system.source is Source.DOCKER:
            return (*_DOCKERS_OWN, _DOCKERS_COMPOSE), True, nothing
        return (*system.docker, system.compose), False, nothing
    # Docker runs: only what lacks is put beside it, from where it came, since another one would end every container.
    if present.docker == "docker-ce":
        return (_DOCKERS_COMPOSE,), False, nothing
    if present.docker == "docker.io" and system.source is Source.DISTRIBUTION:
        return (system.compose,), False, nothing
    what = "there is Docker without Compose 2.24.4"
    return (), False, Choice(blocked=what, hint=_no_compose(system, present.docker))


def _no_compose(system: Distribution, package: str) -> str:
    if package == "docker.io":
        return (
            f"{system.name} has none that is new enough: put the plugin into /usr/local/lib/docker/cli-plugins, "
            "or remove docker.io, which ends its containers, and run this again"
        )
    return "it came in no package that Fairway knows: install Compose from where Docker came from"


def sources_text(system: Distribution, architecture: str) -> str:
    """Return the file by which apt takes Docker's repository, believing that one key for it and no other."""
    return (
        "# Written by Fairway: Docker's own repository, its key held against its fingerprint\n"
        f"Types: deb\nURIs: {_REPOSITORY}/{system.id}\nSuites: {system.codename}\nComponents: stable\n"
        f"Architectures: {architecture}\nSigned-By: {_KEYRING}\n"
    )


class Packages:
    """Install what is missing; what is there is neither upgraded nor replaced."""

    name = "packages"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        system, present = self._system(machine), inspect(machine, wish)
        choice = choose(system, present, wish)
        found = _described(system, present)
        if choice.blocked:
            return Look(found, blocked=choice.blocked, hint=choice.hint)
        steps = []
        if choice.from_docker and not _knows_repository(machine):
            steps.append(
                f"let apt take {_REPOSITORY}: {system.name if system else ''} has no Compose 2.24.4; "
                f"its key must have the fingerprint {DOCKER_FINGERPRINT}"
            )
        if choice.packages:
            steps.append(f"apt-get install {' '.join(choice.packages)}")
        return Look(found, tuple(steps), notes=(choice.note,) if choice.note else ())

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        system, present = self._system(machine), inspect(machine, wish)
        choice = choose(system, present, wish)
        if choice.blocked:
            raise Failed(choice.blocked, hint=choice.hint)
        _apt(machine, (*_APT, "update"), tell)
        if choice.from_docker and system is not None and not _knows_repository(machine):
            _add_repository(machine, system, present, tell)
        if choice.packages:
            _apt(machine, (*_INSTALL, *choice.packages), tell)
        return ()

    def _system(self, machine: View) -> Distribution | None:
        return distribution(machine.read(OS_RELEASE) or "")


def inspect(machine: View, wish: Wish) -> Present:
    """Return what a machine has of what may be wanted."""
    packages = installed(machine, "docker.io", "docker-ce", "ca-certificates")
    docker: str | None = next((name for name in ("docker-ce", "docker.io") if name in packages), None)
    if docker is None and machine.which("docker"):
        docker = ""
    said = machine.run(["docker", "compose", "version", "--short"], timeout_s=20)
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", said.stdout.strip()) if said.returncode == 0 else None
    return Present(
        docker=docker,
        compose=tuple(int(part or 0) for part in match.groups()) if match else None,
        programs=frozenset(name for name in ("age", "nginx", "certbot", *wish.tools) if machine.which(name)),
        certificates="ca-certificates" in packages,
    )


def installed(machine: View, *names: str) -> set[str]:
    """Return which packages are installed."""
    asked = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names]
    lines = machine.run(asked).stdout.splitlines()
    return {line.split()[0] for line in lines if line.endswith(" installed")}


def _described(system: Distribution | None, present: Present) -> str:
    compose = ".".join(map(str, present.compose)) if present.compose else "none"
    name = system.name if system else "a system that Fairway does not know"
    if present.docker is None:
        return f"{name}, without Docker"
    return f"{name}, Docker from {present.docker or 'elsewhere'}, Compose {compose}"


def _knows_repository(machine: View) -> bool:
    """Say whether apt takes Docker's repository already, by whose file ever: two files for one do not go together."""
    return _REPOSITORY in machine.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).stdout


def _add_repository(machine: Machine, system: Distribution, present: Present, tell: Tell) -> None:
    if not present.certificates:
        _apt(machine, (*_INSTALL, "ca-certificates"), tell)
    architecture = machine.run(["dpkg", "--print-architecture"]).stdout.strip()
    if not re.fullmatch(r"[a-z0-9]{2,20}", architecture):
        raise Failed("dpkg does not say which architecture this machine is of")
    machine.make_directory("/etc/apt/keyrings")
    # By apt's own means, which know the proxy that this machine goes through.
    fetch = ["/usr/lib/apt/apt-helper", "download-file", f"{_REPOSITORY}/{system.id}/gpg", _FETCHED]
    fetched = machine.run(fetch, timeout_s=120)
    text = machine.read(_FETCHED)
    machine.remove(_FETCHED)
    if fetched.returncode != 0 or text is None:
        raise Failed(
            f"the key of {_REPOSITORY} cannot be fetched",
            why=(fetched.stderr or fetched.stdout).strip()[-300:],
            hint="let this host reach it, or install Docker Engine and Compose 2.24.4 yourself",
        )
    check_key(text, DOCKER_FINGERPRINT, _REPOSITORY)
    machine.write(_KEYRING, text)
    machine.write(_SOURCES, sources_text(system, architecture))
    _apt(machine, (*_APT, "update"), tell)


def _apt(machine: Machine, argv: tuple[str, ...], tell: Tell) -> None:
    said: list[str] = []

    def hear(line: str) -> None:
        if line.strip():
            said.append(line)
            tell(line)

    if machine.stream(list(argv), hear, timeout_s=_PATIENCE_S) != 0:
        raise Failed(
            f"{argv[0]} {argv[-1] if argv[-1] == 'update' else 'install'} failed",
            why="\n".join(said[-_SHOWN_LINES:]),
            hint="mend what apt says on the host, then run this again: it goes on where it stopped",
        )
