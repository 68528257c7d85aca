"""Releases in an archive, two hosts that judge as real ones do, and the repository they were built from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from fairway.dashboard.access import Access
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import Migrations, MigratorKind, NamedRelease
from fairway.engine.contract.migrations import Migration, Verdict
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Kind, Signed, Statement, said_by_a_host
from fairway.engine.contract.trust import Policy, Requirement, Role
from fairway.engine.gate.checking import judge
from fairway.engine.gate.decide import Question, decide
from fairway.registry import Archive, ArchivedRelease
from tests.unit.dashboard.hosts import TOML, Host, dashboard, status
from tests.unit.engine.gate.signers import keys, signed
from tests.unit.evidence.releases import COMPOSE, archived
from tests.unit.registry.fake_registry import FakeRegistry
from tests.unit.registry.test_archive import REPOSITORY

APPROVALS = TOML + "[environments.production.policy]\napprovals = 1\n"
POLICY = Policy(requires=(Requirement("staging"),), approvals=1)


def written(moment: datetime) -> str:
    """Return a time as records and statements carry it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def ago(**span: float) -> datetime:
    """Return when something was so long ago."""
    return datetime.now(UTC) - timedelta(**span)


class Judging(Host):
    """A host with a gate: it judges signatures and decides by its policy as the engine does."""

    def __init__(self, environment: str, policy: Policy) -> None:
        super().__init__(environment=environment, serving=None)
        self.environment = environment
        self.policy = policy
        self.keys = keys()
        self.said: list[Signed] = []
        self.entries = []
        self.serves_now: NamedRelease | None = None
        self.answers |= {
            Operation.GATE: self._gate,
            Operation.JUDGE: self._judge,
            Operation.TRUST: {"guarded": True},
            Operation.EVIDENCE: lambda tag: {
                "statements": [one.as_json() for one in self.said if tag in one.statement.decode()]
            },
        }

    def serve(self, named: NamedRelease, at: datetime, action: str = "deploy") -> None:
        """Have a release serve, by the record too."""
        self.record(named, at, action)
        self.serves_now = named
        facts = {"tag": named.release.tag, "release": named.name, "since": written(at), "by": "ada", "slot": "blue"}
        self.answers[Operation.STATUS] = status(
            environment=self.environment, serving={**facts, "deployment": self.entries[-1]["deployment"]}
        )

    def record(self, named: NamedRelease, at: datetime, action: str = "deploy", **facts: Any) -> None:
        """Have an attempt on the record."""
        number = len(self.entries) + 1
        entry: dict[str, Any] = {
            "n": number,
            "at": written(at),
            "action": action,
            "outcome": "succeeded",
            "deployment": f"20260630-100000-{number:06}",
            "tag": named.release.tag,
            "release": named.name,
            "replaces": self.serves_now.release.tag if self.serves_now else None,
            "by": "ada",
            "seconds": 10.0,
            **facts,
        }
        self.entries.append(entry)

    def _judge(self, statements: list[dict[str, Any]]) -> dict[str, Any]:
        judged = judge(self.keys, [Signed.parse(Fields(one, "x")) for one in statements], datetime.now(UTC))
        return {
            "verdicts": [
                {
                    "valid": one.valid,
                    "who": one.key.name if one.key else None,
                    "role": one.key.role.value if one.key else None,
                    "why": one.why,
                }
                for one in judged
            ]
        }

    def _gate(self, manifest: str, bundle: str, evidence: list[dict[str, Any]]) -> dict[str, Any]:
        named = NamedRelease.read(manifest.encode())
        judged = judge(self.keys, [Signed.parse(Fields(one, "x")) for one in evidence], datetime.now(UTC))
        before = self.serves_now
        question = Question(
            release=named.name,
            tag=named.release.tag,
            project="capakraken",
            environment=self.environment,
            author=named.release.author,
            replaces=before.name if before else None,
            now=datetime.now(UTC),
        )
        decision = decide(self.policy, question, judged)
        return {
            "environment": self.environment,
            "met": decision.met,
            "locked": None,
            "replaces": before.name if before else None,
            "replaces_tag": before.release.tag if before else None,
            "restored": False,
            "approvals": self.policy.approvals,
            "checks": [check.as_json() for check in decision.checks],
        }


@dataclass
class Story:
    """A project: its repository, its registry, and its two hosts; production wants an approval."""

    root: Path
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    staging: Judging = field(default_factory=lambda: Judging("staging", Policy()))
    production: Judging = field(default_factory=lambda: Judging("production", POLICY))

    def __post_init__(self) -> None:
        self._git("init", "--quiet")

    @property
    def archive(self) -> Archive:
        """Return a new connection to the archive."""
        return Archive(self.registry.client(), REPOSITORY)

    def release(
        self, subject: str, at: datetime, compose: str = "", *, put: bool = True, **facts: Any
    ) -> ArchivedRelease:
        """Commit something, release and archive it."""
        self._git("commit", "--quiet", "--allow-empty", "--message", subject)
        commit = self._git("rev-parse", "HEAD")
        files = {COMPOSE: f"services:\n  app:\n    image: ${{APP_IMAGE}}\n{compose}".encode()}
        made = archived(files, commit=commit, created_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", **facts)
        if put:
            self.archive.put(made.manifest_bytes, made.bundle)
        return made

    def say(self, named: NamedRelease, kind: Kind, owner: str, role: Role, environment: str, **facts: Any) -> Signed:
        """Have somebody say something of a release, and archive it."""
        said = self.statement(named, kind, environment, **facts)
        made = signed(said, owner, role)
        self.archive.statements.put(made)
        return made

    def ready(self, named: NamedRelease, at: datetime) -> Signed:
        """Have the staging host say that a release is ready there."""
        facts = {"host": "one", "deployment": "20260131-115900-000000", "at": written(at)}
        return self.say(named, Kind.READY, "staging:one", Role.HOST, "staging", **facts)

    def statement(self, named: NamedRelease, kind: Kind, environment: str, **facts: Any) -> Statement:
        """Return a statement about a release."""
        release = named.release
        usual: dict[str, Any] = {"at": written(ago(minutes=5))}
        return Statement(kind, named.name, release.tag, release.project, environment, **{**usual, **facts})

    @contextmanager
    def served(self, access: Access | None = None) -> Iterator[TestClient]:
        """Serve the dashboard over it."""
        hosts: dict[str, Host] = {"staging": self.staging, "production": self.production}
        with dashboard(self.root, hosts, access, archive=lambda: self.archive, toml=APPROVALS) as client:
            yield client

    def sign_with(self, key: Path) -> None:
        """Have Git here name the key that its user signs with."""
        self._git("config", "gpg.format", "ssh")
        self._git("config", "user.signingkey", str(key))

    def said_by_people(self, named: NamedRelease) -> list[Statement]:
        """Return what people said of a release, as it is archived."""
        found = self.archive.statements.about(named.name).statements
        return [one.statement for one in found if not said_by_a_host(one.statement.kind)]

    def _git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Jane", "-c", "user.email=jane@example.com", "-c", "commit.gpgsign=false")
        argv = ["git", "-C", str(self.root), *who, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def migrations(*verdicts: tuple[str, Verdict]) -> Migrations:
    """Return migrations with these verdicts."""
    shipped = tuple(
        Migration(name, Digest.of(name.encode()), verdict, verdict, f"{name} does it") for name, verdict in verdicts
    )
    files = {f"migrations/{one.id}.sql": one.digest for one in shipped}
    return Migrations(files=files, kind=MigratorKind.PRISMA, shipped=shipped)


def usual(root: Path) -> tuple[Story, list[ArchivedRelease]]:
    """Return a story: the first release serves in production, the second was sent back in staging, the third waits."""
    story = Story(root)
    first = story.release("Begin", ago(days=9), migrations=migrations(("001_users", Verdict.EXPAND)))
    second = story.release("Try another timeline", ago(days=3), migrations=migrations(("001_users", Verdict.EXPAND)))
    third = story.release(
        "Show hours by week",
        ago(days=1),
        "    environment:\n      WEEKS: '1'\n",
        migrations=migrations(
            ("001_users", Verdict.EXPAND), ("002_weeks", Verdict.EXPAND), ("003_drop_days", Verdict.CONTRACT)
        ),
        drain_timeout_s=60.0,
    )
    story.staging.serve(first.named, ago(days=8))
    story.production.serve(first.named, ago(days=7))
    error = {"what": "it does worse than the release before", "why": "", "hint": "", "exit_code": 1}
    story.staging.record(second.named, ago(days=2), outcome="failed", failed_in="soak", error=error)
    story.staging.serve(third.named, ago(hours=20))
    story.ready(first.named, ago(days=8))
    story.ready(third.named, ago(hours=20))
    return story, [first, second, third]
