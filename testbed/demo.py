"""The main job, told step by step: from a commit to production and back, while requests keep flowing.

Every step is the real ``fairway`` command, run against real hosts. ``python -m testbed demo``.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, field

from testbed import changes, images, legacy
from testbed.bed import Testbed
from testbed.load import Load
from testbed.process import TestbedError
from testbed.workspace import FAIRWAY, Workspace

_RATE_PER_S = 200
_READY_LIMIT_S = 5


@dataclass
class Story:
    """Runs the steps, says what each is for, and remembers how long it took."""

    work: Workspace
    steps: list[tuple[str, float]] = field(default_factory=list)

    def step(self, title: str, *command: str, expect: int = 0) -> None:
        """Run one ``fairway`` command as the operator would. Raises ``TestbedError`` on another exit code."""
        say(title)
        print(f"$ fairway {' '.join(command)}", flush=True)
        begun = time.monotonic()
        code = subprocess.run(
            [str(FAIRWAY), *command], cwd=self.work.path, env=self.work.environment, check=False
        ).returncode
        self.steps.append((title, time.monotonic() - begun))
        if code != expect:
            raise TestbedError(f"fairway {' '.join(command)} ended with {code}; expected was {expect}")


def say(text: str) -> None:
    """Tell what comes next."""
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def main() -> None:
    """Run the whole story. Raises ``TestbedError`` as soon as something is not as promised."""
    images.prepare()
    say("A registry with a login, and two hosts, each with sshd and a Docker daemon of its own")
    with Testbed() as bed:
        for host in bed.hosts.values():
            print(f"{host.name:<11} {host.address}")
        print(f"{'registry':<11} {bed.registry.address}")
        work = Workspace(bed)
        work.configure(readiness={"timeout_s": _READY_LIMIT_S})
        work.commit("Give up sooner")
        _tell(Story(work))


def _tell(story: Story) -> None:
    work = story.work
    settings: dict[str, str] = {}
    for environment in ("staging", "production"):
        settings = work.prepare_host(environment)
        story.step(f"The {environment} host is prepared", "bootstrap", environment)

    first = work.tag
    story.step("Release A: the commit is built once, pushed, and pinned by digest", "release")
    story.step("A goes to staging", "deploy", "staging", first)
    story.step("A goes to production: exactly the digests that staging has run", "promote", first)

    say(f"From here on, {_RATE_PER_S} visitors a second ask production")
    url = work.url("production", "/api/health")
    with Load(url, connections=16, rate_per_s=_RATE_PER_S, max_s=600) as load:
        changes.add_location(work)
        second = work.tag
        story.step("Release B has a migration", "release")
        story.step("B straight to production is refused: nothing has proven it", "promote", second, expect=3)
        story.step("B goes to staging", "deploy", "staging", second)
        story.step("B goes to production, under load", "promote", second)

        changes.never_ready(work)
        third = work.tag
        story.step("Release C will never be ready", "release")
        story.step("C on staging is given up, with its reason; B serves on", "deploy", "staging", third, expect=1)
        story.step("C in production is refused", "promote", third, expect=3)
        story.step("What going back would do", "rollback", "production", "--plan")
        story.step("Production goes back to A, under load", "rollback", "production")
        work.prepare_host("production", {**settings, "NEXTAUTH_SECRET": secrets.token_hex(24)})
        story.step("A secret was rotated: status sees it", "status", "production", expect=1)
        story.step("A starts again with the new secret, under load", "restart", "production")
        _clear_leftovers(story)
        story.step("What serves, asked of the hosts", "status")
        story.step("What production has on record", "history", "production")

    _summarise(story, load, {first: "A", second: "B", third: "C"})


def _clear_leftovers(story: Story) -> None:
    """Tell how the secrets leave a database that an earlier admin page has put them in."""
    for environment in ("staging", "production"):
        past = {key: secrets.token_hex(24) for key in ("OPENAI_API_KEY", "SMTP_PASSWORD")}
        legacy.leave_secrets(story.work, environment, past)
        story.step(f"The database of {environment} has secrets from before", "secrets", "scan", environment, expect=1)
        story.step("They are cleared, and are to be rotated", "secrets", "clear", environment, "--yes")
        story.step("Nothing is left", "secrets", "scan", environment)


def _summarise(story: Story, load: Load, names: dict[str, str]) -> None:
    report = load.report
    say("What each step took")
    for title, seconds in story.steps:
        print(f"{seconds:7.2f} s  {title}")
    say("What served production, seen by its visitors")
    ends = [at_s for at_s, _ in report.transitions[1:]] + [report.elapsed_s]
    for (since_s, release), until_s in zip(report.transitions, ends, strict=True):
        print(f"{since_s:7.2f} s  to {until_s:7.2f} s  release {names.get(release, release)}  {release[:11]}")
    print(
        f"\n{report.total} requests, {report.failed} dropped; slowest of 99 %: {report.latency_s(0.99) * 1000:.0f} ms"
    )
    _check(report.failed == 0, f"requests were dropped: {dict(report.reasons)}")
    _check([names.get(r) for r in report.releases] == ["A", "B", "A"], f"production served {report.releases}")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TestbedError(otherwise)
