"""The engine may be lost at any moment, and again while it recovers: one release serves, and the record says which.

The steps, the runner, the journal, the ledger and the state are the real ones; the
host is simulated, so that every moment can be tried.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine import clock, runner
from fairway.engine import journal as journal_module
from fairway.engine.contract.manifest import Bundle, Release
from fairway.engine.contract.names import Digest, PinnedImage, Repository, Slot, Tag
from fairway.engine.deployment import Action, Deployment, Request, ask_cancel
from fairway.engine.files import append_line
from fairway.engine.hostconfig import HostConfig, Rehearsal
from fairway.engine.journal import has_ended, read_journal
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.releases import StoredRelease, store_release
from fairway.engine.state import Occupant, State, read_state
from tests.unit.engine.simulated import Lost, Moment, SimulatedDriver, SimulatedEdge, World

HOST = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False, rehearsal=Rehearsal())
OLD = "20260131-110000-000000"
NEW = "20260131-120000-000000"


class Scene:
    """A host on which the old release serves and a deployment of the new one has been accepted."""

    def __init__(self, directory: Path, release: Release, *, action: Action, warm: bool) -> None:
        self.layout = Layout(directory / "deploy")
        self.layout.create()
        soak = replace(release.soak, for_s=0.01, canary=(50,), canary_s=0.01)
        quick = replace(release.readiness, interval_s=0.01, timeout_s=5)
        base = replace(release, soak=soak, readiness=quick, warm_keep_s=3600.0)
        self.world = World()
        self.old = _stored(self.layout, base, "a1" * 20)
        self.new = _stored(self.layout, base, "b2" * 20)
        settings = self.layout.deploy_path / ".env.production"
        settings.touch(mode=0o600)
        settings.write_text("POSTGRES_PASSWORD=" + "x" * 20)
        before = Occupant(Slot.BLUE, self.old.release.tag, self.old.name, OLD, "2026-01-31T11:00:00.000Z", "ada")
        self.before = State(before, None)
        self.before.write(self.layout.state)
        self.request = Request(
            NEW, action, self.new.release.tag, self.new.name, Slot.GREEN, "ada", self.before, warm=warm
        )
        self.request.write(self.layout)
        blue = self.deployment(replace(self.request, slot=Slot.BLUE), self.old)
        blue.driver.start_slot(blue.launch, Slot.BLUE)
        blue.edge.switch(3000, Slot.BLUE)
        self.world.workers = self.old.release.tag
        if warm:
            green = self.deployment(self.request, self.new)
            green.driver.start_slot(green.launch, Slot.GREEN)
        self.deployment().journal.accepted(deployment=NEW)

    def deployment(self, request: Request | None = None, stored: StoredRelease | None = None) -> Deployment:
        """Return the deployment as an engine that has just started sees it."""
        made = Deployment(self.layout, HOST, request or self.request, stored=stored)
        made.edge = SimulatedEdge(self.layout, self.world)
        made.__dict__["driver"] = SimulatedDriver(self.world)
        return made

    def run(self, *, lost_at: int | None) -> bool:
        """Carry it out until the engine is lost; say whether it came to its end."""
        return self._until(lost_at, lambda: runner.carry_out(self.deployment()))

    def recover(self, *, lost_at: int | None = None) -> bool:
        """Recover as the next engine does, until that one is lost too."""
        return self._until(lost_at, lambda: runner.recover(self.deployment()))

    def _until(self, lost_at: int | None, work: object) -> bool:
        assert callable(work)
        self.world.moment = Moment(lost_at)
        with _journal_counts(self.world):
            try:
                work()
            except Lost:
                return False
        return True

    def check_legal(self) -> Slot:
        """Check that exactly one release serves, from a container that runs, and that it is all on record."""
        assert has_ended(read_journal(self.layout.deployment(NEW) / "journal.jsonl"))
        entries = Ledger(self.layout.ledger).entries()
        assert [entry["deployment"] for entry in entries] == [NEW]
        (serving,) = self.world.serving
        assert self.world.configured is serving
        assert self.world.containers[serving].running
        return serving

    def check_agrees(self) -> None:
        """Check that the record, the workers and the containers agree with what serves."""
        serving = self.check_legal()
        active = read_state(self.layout.state).active
        assert active is not None
        assert active.slot is serving
        entry = Ledger(self.layout.ledger).entries()[-1]
        assert (entry["outcome"] == "succeeded") is (serving is Slot.GREEN)
        assert not self.world.part_of_dump
        assert not self.world.part_of_rehearsal
        assert self.world.workers == (self.new if serving is Slot.GREEN else self.old).release.tag
        if serving is Slot.BLUE and not self.request.warm:
            assert set(self.world.containers) == {Slot.BLUE}


def _stored(layout: Layout, release: Release, commit: str) -> StoredRelease:
    compose = b"services: {}\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as bundle:
        member = tarfile.TarInfo("docker-compose.cicd.yml")
        member.size = len(compose)
        bundle.addfile(member, io.BytesIO(compose))
    content = archive.getvalue()
    made = replace(
        release,
        tag=Tag(f"sha-{commit}"),
        commit=commit,
        app=PinnedImage(Repository("ghcr.io/acme/capakraken-app"), Digest.of(commit.encode()), 1000),
        bundle=Bundle(Digest.of(content), len(content), {"docker-compose.cicd.yml": Digest.of(compose)}),
    )
    return store_release(layout, made.to_bytes(), content)


@contextmanager
def _journal_counts(world: World) -> Iterator[None]:
    def counted(path: Path, line: bytes, *, durable: bool) -> None:
        world.moment.pass_by()
        append_line(path, line, durable=durable)
        world.moment.pass_by()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "append_line", counted)
        yield


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Let time pass only where somebody waits for it, and spare the disk."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + 0.001

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "sleep", sleep)
        patch.setattr(clock, "monotonic", lambda: now)
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@contextmanager
def scene(release: Release, *, action: Action = Action.DEPLOY, warm: bool = False) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory() as directory, _no_waiting():
        yield Scene(Path(directory), release, action=action, warm=warm)


KINDS = [(Action.DEPLOY, False), (Action.ROLLBACK, True), (Action.ROLLBACK, False), (Action.RESTART, False)]
moments = st.integers(min_value=0, max_value=100)


@pytest.mark.parametrize(("action", "warm"), KINDS)
@pytest.mark.parametrize("unready", [False, True])
@given(lost=moments, again=st.one_of(st.none(), moments))
def test_an_engine_lost_at_any_moment_leaves_what_the_record_says(
    release: Release, action: Action, warm: bool, unready: bool, lost: int, again: int | None
) -> None:
    with scene(release, action=action, warm=warm) as host:
        if unready:
            host.world.ready = lambda slot: slot is Slot.BLUE
        ended = host.run(lost_at=lost)
        if not ended and again is not None:
            ended = host.recover(lost_at=again)
        if not ended:
            host.recover()
        host.check_agrees()
        assert host.world.migrations_run <= 1


@given(lost=moments, cancelled=moments)
def test_a_cancel_and_a_lost_engine_together_are_no_worse(release: Release, lost: int, cancelled: int) -> None:
    with scene(release) as host:
        if not host.run(lost_at=min(lost, cancelled)):
            ask_cancel(host.layout, NEW, by="grace")
            if not host.recover(lost_at=abs(lost - cancelled)):
                host.recover()
        host.check_agrees()


@given(lost=moments, kept=st.floats(min_value=0, max_value=1), noise=st.sampled_from([b"", b"\x00\x00", b'{"kind"']))
def test_any_prefix_of_a_journal_cut_at_any_byte_recovers(
    release: Release, lost: int, kept: float, noise: bytes
) -> None:
    """A disk that lost more than it promised: what serves goes on serving, and it is on record how it ended."""
    with scene(release) as host:
        host.run(lost_at=lost)
        path = host.layout.deployment(NEW) / "journal.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * kept)] + noise)
        if not has_ended(read_journal(path)):
            # What was written before the part that is lost may be lost with it.
            host.layout.ledger.unlink(missing_ok=True)
            host.recover()
        host.check_legal()


def test_a_warm_slot_whose_migrator_image_was_pruned_is_deployed_all_the_same(release: Release) -> None:
    with scene(release, warm=True) as host:
        assert host.run(lost_at=None)
        assert host.world.migrations_run == 1
        assert host.world.serving == {Slot.GREEN}


def test_a_warm_slot_that_was_restarted_long_ago_may_serve_again(release: Release) -> None:
    with scene(release, warm=True) as host:
        green = host.world.containers[Slot.GREEN]
        host.world.containers[Slot.GREEN] = replace(green, restarts=1)
        assert host.run(lost_at=None)
        assert host.world.serving == {Slot.GREEN}


@pytest.mark.parametrize(
    ("action", "warm", "judged"),
    [
        (Action.DEPLOY, False, True),
        (Action.DEPLOY, True, True),
        (Action.ROLLBACK, False, True),
        (Action.ROLLBACK, True, False),
        (Action.RESTART, False, False),
        (Action.RECONCILE, False, False),
    ],
)
def test_a_bundle_is_judged_by_the_policy_of_now_whenever_it_brings_something_new(
    release: Release, action: Action, warm: bool, judged: bool
) -> None:
    with scene(release, action=action, warm=warm) as host:
        host.world.unallowed.add(host.new.release.tag)
        assert host.run(lost_at=None)
        assert host.world.judged == ([host.new.release.tag] if judged else [])
        assert host.check_legal() is (Slot.BLUE if judged else Slot.GREEN)


def test_every_moment_of_a_deployment_is_reached(release: Release) -> None:
    with scene(release) as host:
        assert host.run(lost_at=None)
        assert host.world.moment.count <= 100
        host.check_agrees()
