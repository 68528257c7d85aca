"""What a rehearsal is called in Docker, and by which labels everything of it is found again."""

from __future__ import annotations

from dataclasses import dataclass

#: On everything of a rehearsal; its value is the project.
LABEL = "dev.fairway.rehearsal"
#: Which rehearsal: the id of its deployment.
LABEL_OF = "dev.fairway.rehearsal.of"
#: Below Fairway's own directory: one for each rehearsal of which anything may be left.
REHEARSALS = "rehearsal"


@dataclass(frozen=True)
class Naming:
    """The names of one rehearsal. It is a Compose project of its own, so that nothing takes it for the real one."""

    project: str
    id: str

    @property
    def compose_project(self) -> str:
        return f"{self.project}-rehearsal-{self.id}"

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.project, LABEL_OF: self.id}

    @property
    def migrator(self) -> str:
        return self.container("migrator")

    @property
    def database(self) -> str:
        return self.container("database")

    @property
    def app(self) -> str:
        return self.container("app")

    @property
    def edge(self) -> str:
        return self.container("edge")

    def container(self, part: str) -> str:
        """Return the name of a part's container."""
        return f"{self.compose_project}-{part}"


def list_containers(label: str, value: str) -> list[str]:
    return ["docker", "ps", "--all", "--quiet", "--no-trunc", f"--filter=label={label}={value}"]


def list_networks(label: str, value: str) -> list[str]:
    return ["docker", "network", "ls", "--quiet", "--no-trunc", f"--filter=label={label}={value}"]


def remove_containers(identities: list[str]) -> list[str]:
    """Remove them with the volumes that have no name, in which all their data is."""
    return ["docker", "rm", "--force", "--volumes", *identities]


def remove_networks(identities: list[str]) -> list[str]:
    return ["docker", "network", "rm", *identities]
