"""What an operator looks at: which release answers, what the record says, and where a secret must not be."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from fairway.engine.contract.trust import Policy
from testbed.host import USER
from testbed.workspace import Workspace


def serving(work: Workspace, environment: str) -> str:
    """Return the release that answers visitors, or the HTTP status when none does."""
    try:
        with urllib.request.urlopen(work.url(environment, "/api/health"), timeout=10) as answer:
            return str(answer.headers["X-Release"])
    except urllib.error.HTTPError as error:
        return str(error.code)


def history(work: Workspace, environment: str) -> list[dict[str, Any]]:
    """Return the host's record of attempts; housekeeping, which comes by itself, is left out."""
    entries: list[dict[str, Any]] = json.loads(work.fairway("history", environment, "--json").stdout)
    return [entry for entry in entries if entry["action"] != "prune"]


def status(work: Workspace, environment: str) -> dict[str, Any]:
    """Return what the host says of itself."""
    document: dict[str, Any] = json.loads(work.fairway("status", environment, "--json", check=False).stdout)
    found: dict[str, Any] = document[environment]
    return found


def slots_running(work: Workspace, environment: str) -> list[str]:
    """Return the names of the application containers that run on the host."""
    names = work.host(environment).docker("ps", "--filter", f"name={work.project}-app-", "--format", "{{.Names}}")
    return sorted(names.split())


def release(work: Workspace) -> str:
    """Release the commit that is checked out; return its tag."""
    work.fairway("release")
    return work.tag


def start_on(work: Workspace, *environments: str) -> str:
    """Prepare hosts, release the commit and have it serve on them in this order; return its tag."""
    for environment in environments:
        work.prepare_host(environment)
        work.fairway("bootstrap", environment)
    tag = release(work)
    for environment in environments:
        work.fairway(
            "deploy" if environment == "staging" else "promote", *(["staging"] * (environment == "staging")), tag
        )
    return tag


def allow_on(work: Workspace, environment: str, *names: str) -> None:
    """Have the host's own policy allow exactly these, as an administrator on the host would."""
    path = f"{work.deploy_path}/.fairway/trust"
    host = work.host(environment)
    host.sh(f"install -d -o {USER} -g {USER} {path}")
    host.put(f"{path}/policy.json", Policy(allow=names).to_bytes().decode(), owner=USER)


def sql(work: Workspace, environment: str, statement: str) -> str:
    """Ask the environment's database; return what it answers."""
    psql = ("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--username=capakraken", "capakraken")
    return work.host(environment).docker("exec", f"{work.project}-postgres-1", *psql, "--command", statement)


def wait_for_step(work: Workspace, environment: str, step: str, timeout_s: float = 60.0) -> str:
    """Wait until the newest deployment on the host has begun a step; return the deployment's id."""
    script = f"""
        for _ in $(seq {int(timeout_s * 10)}); do
            newest=$(ls -d {work.deploy_path}/.fairway/deployments/*/ 2>/dev/null | tail -n 1)
            if [ -n "$newest" ] && grep -q '"step":"{step}","mark":"started"' "$newest/journal.jsonl" &&
               ! grep -q '"kind":"ended"' "$newest/journal.jsonl"; then basename "$newest"; exit 0; fi
            sleep 0.1
        done
        exit 1
    """
    return work.host(environment).sh(script, timeout_s=timeout_s + 10)
