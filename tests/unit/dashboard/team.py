"""A dashboard for a team as it runs on a host: the real command on a socket, nginx in front, a real provider."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOW_TO = (ROOT / "docs/how-to/dashboard.md").read_text()
NGINX = shutil.which("nginx") or shutil.which("nginx", path=ROOT / ".testbed" / "bin")
SECRET = "the-clients-secret"
PROJECT = """
project = "capakraken"
[images]
app = "registry.test/ada/capakraken-app"
migrator = "registry.test/ada/capakraken-migrator"
[environments.staging]
hosts = ["ssh://ada@127.0.0.1:1"]
deploy_path = "/opt/capakraken"
port = "8080"
"""


def documented(language: str, containing: str) -> str:
    """Return the example of the how-to in a language that has this in it."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", HOW_TO, re.DOTALL) if containing in text]
    return str(found)


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(arguments: Sequence[str | Path], directory: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the block ends; its errors go into a file of the directory."""
    with (directory / "errors").open("a") as errors:
        program = subprocess.Popen(
            arguments,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=settings,
        )
        try:
            yield program
        finally:
            program.terminate()
            program.wait(10)
            assert program.stdout is not None
            program.stdout.close()


def told(program: subprocess.Popen[str], directory: Path) -> str:
    """Return the next line of a program."""
    assert program.stdout is not None
    line = program.stdout.readline()
    assert line, f"it ended: {(directory / 'errors').read_text()}"
    return line.strip()


@contextmanager
def provider(directory: Path, url: str) -> Iterator[str]:
    """Run a provider that knows the dashboard at ``url``; give its issuer."""
    script = Path(__file__).with_name("provider.mjs")
    modules = ROOT / ".testbed" / "npm" / "node_modules"
    assert (modules / "oidc-provider").is_dir(), "oidc-provider is not installed: scripts/test-tools.sh unit"
    node = shutil.which("node")
    assert node, "Node.js is not installed: scripts/test-tools.sh unit"
    with running([node, script, modules, f"{url}/sign-in/callback"], directory) as program:
        yield told(program, directory)


@contextmanager
def team_dashboard(directory: Path, table: str, **settings: str) -> Iterator[Path]:
    """Run ``fairway ui --socket`` with a table ``[dashboard]``; give its socket."""
    (directory / "fairway.toml").write_text(PROJECT + table)
    path = directory / "ui.sock"
    command: list[str | Path] = [sys.executable, "-m", "fairway", "ui", "--socket", path]
    with running(command, directory, PYTHONPATH=str(ROOT / "src"), HOME=str(directory), **settings) as program:
        told(program, directory)
        yield path


@contextmanager
def nginx(directory: Path, port: int, change: Callable[[str], str] = str) -> Iterator[None]:
    """Run nginx with the server of the how-to, on a port and without TLS."""
    assert NGINX, "nginx is not installed: scripts/test-tools.sh unit"
    server = change(documented("nginx", "server {"))
    server = re.sub(r"\n *(ssl_|add_header Strict)[^\n]*", "", server).replace("443 ssl", f"127.0.0.1:{port}")
    server = server.replace("/run/fairway-ui", str(directory)).replace("/etc/nginx", str(directory))
    places = "\n".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/nginx.log;\n"
        f"events {{}}\nhttp {{\naccess_log {directory}/access.log;\n{places}\n{server}}}\n"
    )
    command: list[str | Path] = [NGINX, "-p", directory, "-c", directory / "nginx.conf", "-e", directory / "nginx.log"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with running(command, directory) as program:
        until = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert program.poll() is None, (directory / "nginx.log").read_text()
            assert time.monotonic() < until, "nginx does not answer"
        yield
