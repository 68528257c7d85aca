"""Runs the workflows of a repository as GitHub would, on this machine: nektos/act, in a runner's image of ours.

A job's container has this machine's Docker, and its network, by which it reaches the bed's registry and hosts.
Secrets go to act in a private file. What differs from GitHub: there are no environments with protection, no
concurrency groups, and no other actions than those that act does itself (a checkout of the repository it is in).
"""

from __future__ import annotations

import fcntl
import json
import secrets as random
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from testbed import images, wheels
from testbed.bed import Testbed
from testbed.docker import LABEL, ROOT, RUN_LABEL, docker, write_private
from testbed.process import TestbedError, run
from testbed.waiting import wait_for

ACT = ROOT / ".venv" / "bin" / "act"
SOURCE = "https://github.com/acme/capakraken.git"
RUNS_ON = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04")
# act mounts it into each container, and would leave it.
_TOOLS = "act-toolcache"


class Job:
    """A run of a workflow that has been started."""

    def __init__(self, process: subprocess.Popen[str], of_the_bed: str) -> None:
        self._process = process
        self._of_the_bed = of_the_bed
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """What it has said so far."""
        return "".join(self._said)

    def wait_for(self, text: str, *, timeout_s: float = 120.0) -> None:
        """Wait until it has said something. Raises ``TestbedError`` when it ends, or takes longer, without."""

        def said() -> bool:
            if self._process.poll() is not None and text not in self.output:
                raise TestbedError(f"act ended with {self._process.returncode} and never said {text!r}:\n{self.output}")
            return text in self.output

        wait_for(f"{text!r} in what act says", said, timeout_s=timeout_s)

    def cancel(self) -> None:
        """Cancel it: act is interrupted, once, and goes on with the steps that are for that.

        The step that runs hears nothing of it, and is killed at the end: :meth:`interrupt_step` is what does.
        """
        self._process.send_signal(signal.SIGINT)

    def interrupt_step(self) -> None:
        """Interrupt the step that runs, as GitHub's runner first does when it is cancelled: its process, no other."""
        job = docker("ps", "--quiet", "--filter", self._of_the_bed, "--filter", "name=^act-").stdout.strip()
        # What Docker has started in a container has no parent there; the first is what keeps the container.
        others = "ps -eo pid=,ppid= | awk '$2 == 0 && $1 != 1 && $1 != '$$' { print $1 }'"
        docker("exec", job, "sh", "-c", f"kill -INT $({others})")

    def wait(self, *, timeout_s: float = 300.0) -> int:
        """Wait for its end and return its exit code. Raises ``TestbedError`` when it takes longer."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TestbedError(f"act has not ended within {timeout_s:g} s:\n{self.output}") from None
        self._reader.join(10)
        return self._process.returncode

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)


class Runner:
    """What runs the workflows of one repository, with the secrets it has been given.

    Use it as a context manager: nothing of it is left afterwards.
    """

    def __init__(
        self,
        bed: Testbed,
        repository: Path,
        *,
        secrets: Mapping[str, str],
        actor: str = "fairway",
    ) -> None:
        self._bed = bed
        self._repository = repository
        self._actor = actor
        self._jobs: list[Job] = []
        # act calls its containers after the workflow and the job alone: two at once would take each other's.
        self._alone = (Path(tempfile.gettempdir()) / "fairway-dev-act.lock").open("w")
        fcntl.flock(self._alone, fcntl.LOCK_EX)
        self._directory = bed.state / "act" / random.token_hex(4)
        self._image = images.provide_runner()
        self._had_tools = bool(docker("volume", "ls", "--quiet", "--filter", f"name=^{_TOOLS}$").stdout.strip())
        self._directory.mkdir(parents=True)
        self._wheels = (wheels.collect(self._image), self._directory / "wheels")
        wheels.build(self._wheels[1])
        # Where the jobs find the Fairway that the first of them has installed.
        self._installed = f"fairway-dev-{bed.name}-{self._directory.name}"
        labels = (f"--label={LABEL}=1", f"--label={RUN_LABEL}={bed.name}")
        docker("volume", "create", *labels, self._installed)
        # Every JSON document is one in YAML, which, unlike the other form, has room for a key of several lines.
        write_private(self._directory / "secrets.yml", json.dumps(dict(secrets)))
        write_private(self._directory / "nothing.env", "")

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *raised: object) -> None:
        self._remove()

    def start(self, workflow: str, event: str = "workflow_dispatch", **inputs: str) -> Job:
        """Start a workflow of ``.github/workflows`` for an event."""
        process = subprocess.Popen(
            [str(part) for part in self._command(workflow, event, inputs)],
            cwd=self._check_out(),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A session of its own: an interruption of the tests is not one of the workflow, too.
            start_new_session=True,
        )
        job = Job(process, f"label={RUN_LABEL}={self._bed.name}")
        self._jobs.append(job)
        return job

    def _check_out(self) -> Path:
        """Clone what is committed, no deeper than a checkout in a pipeline is; act takes it as its own."""
        directory = self._directory / f"checkout-{random.token_hex(4)}"
        env = self._bed.environment
        run(["git", "clone", "--quiet", "--depth=1", f"file://{self._repository}", directory], env=env)
        run(["git", "remote", "set-url", "origin", SOURCE], cwd=directory, env=env)
        return directory

    @property
    def _environment(self) -> dict[str, str]:
        # act tells Docker to log in, and writes what it caches, as the user: neither is the user's own here.
        return {**self._bed.environment, "XDG_CACHE_HOME": str(self._directory / "cache"), "TERM": "xterm"}

    def _command(self, workflow: str, event: str, inputs: Mapping[str, str]) -> list[str | Path]:
        payload = self._directory / f"event-{random.token_hex(4)}.json"
        write_private(payload, json.dumps(self._payload(event, inputs)))
        trusted = "/etc/fairway-dev/ca-bundle.crt"
        options = (
            f"--label {LABEL}=1 --label {RUN_LABEL}={self._bed.name}"
            f" --volume {self._bed.ca_bundle}:{trusted}:ro --volume {self._installed}:/fairway-home"
            f" --volume {self._wheels[0]}:/wheels/needed:ro --volume {self._wheels[1]}:/wheels/fairway:ro"
        )
        here = self._directory
        env = {
            "SSL_CERT_FILE": trusted,
            "FAIRWAY_HOME": "/fairway-home",
            "PIP_NO_INDEX": "1",
            # Only what is run is compiled then, and a job runs little of it.
            "PIP_NO_COMPILE": "1",
            "PIP_FIND_LINKS": "/wheels/needed /wheels/fairway",
        }
        return [
            *(ACT, event, "--workflows", f".github/workflows/{workflow}", "--eventpath", payload),
            *(f"--platform={name}={self._image.name}" for name in RUNS_ON),
            *("--pull=false", "--rm", "--no-cache-server", "--action-offline-mode", f"--actor={self._actor}"),
            # Or no test could tell whether a workflow shows a secret.
            "--insecure-secrets",
            *("--container-options", options, "--env-file", here / "nothing.env", "--input-file", here / "nothing.env"),
            *("--secret-file", here / "secrets.yml", "--var-file", here / "nothing.env"),
            *(part for name, value in env.items() for part in ("--env", f"{name}={value}")),
            *(part for name, value in inputs.items() for part in ("--input", f"{name}={value}")),
        ]

    def _payload(self, event: str, inputs: Mapping[str, str]) -> dict[str, object]:
        repository = {"full_name": "acme/capakraken", "default_branch": "main", "owner": {"login": "acme"}}
        payload: dict[str, object] = {"repository": repository}
        if event == "pull_request":
            head, base = ({"ref": name, "repo": repository} for name in ("change", "main"))
            payload["pull_request"] = {"number": 1, "head": head, "base": base}
        if inputs:
            payload["inputs"] = dict(inputs)
        return payload

    def _remove(self) -> None:
        """Remove what act has left: nothing, unless it did not come to its end."""
        for job in self._jobs:
            job.kill()
        ours = ("--filter", f"label={RUN_LABEL}={self._bed.name}", "--filter", "name=^act-")
        names = docker("ps", "--all", *ours, "--format", "{{.Names}}").stdout.split()
        if names:
            docker("rm", "--force", "--volumes", *names)
            docker("volume", "rm", *(volume for name in names for volume in (name, f"{name}-env")), check=False)
        docker("volume", "rm", self._installed, *([] if self._had_tools else [_TOOLS]), check=False)
        self._alone.close()


class ProcessList:
    """Collects the arguments of every process of this machine, those in containers too, for a ``with`` block."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessList:
        self._watcher.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        # Often enough for whatever lives as long as a program in Python or Go takes to begin.
        while not self._over.wait(0.1):
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    try:
                        self.seen.add((process / "cmdline").read_bytes())
                    except OSError:
                        continue
