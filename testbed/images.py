"""The images the testbed runs: pulled where that works, built from Debian where not.

Everything is known as ``fairway-dev/<name>``, wherever it came from. Nothing is done
again while its Dockerfile and its base have not changed. ``python -m testbed.images``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.docker import LABEL, ROOT, STATE, docker, environment, inspect
from testbed.process import TestbedError, run

SOURCES = Path(__file__).resolve().parent / "images"
RECORD = STATE / "images.json"
HASH_LABEL = f"{LABEL}.hash"
PROBE_S = 20
PULL_S = 300
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True)
class Image:
    """One image: our name for it, its folder below ``images/``, and the public image it may be instead."""

    name: str
    folder: str
    public: str | None = None
    base: str | None = None


BASE = Image("fairway-dev/debian:trixie-slim", "", "debian:trixie-slim")
PYTHON = Image("fairway-dev/python-plain:3.13", "python", "python:3.13-slim-trixie", BASE.name)
PYTHON_CA = Image("fairway-dev/python:3.13", "ca", None, PYTHON.name)
POSTGRES = Image("fairway-dev/postgres:17", "postgres", "postgres:17", BASE.name)
REDIS = Image("fairway-dev/redis:8", "redis", "redis:8", BASE.name)
HAPROXY = Image("fairway-dev/haproxy:3.0", "haproxy", "haproxy:3.0", BASE.name)
HAPROXY_OLDER = Image("fairway-dev/haproxy:2.6", "haproxy-older", "haproxy:2.6", BASE.name)
REGISTRY = Image("fairway-dev/registry:2", "registry", "registry:2", BASE.name)
# One image, of four programs, under the names that the monitoring overlay has for them.
MONITORING = tuple(
    Image(f"fairway-dev/{public.rpartition('/')[2]}", "monitoring", public, BASE.name)
    for public in (
        "prom/prometheus:v3.5.0",
        "prom/alertmanager:v0.28.1",
        "prom/blackbox-exporter:v0.27.0",
        "prom/node-exporter:v1.9.1",
    )
)
HOST = Image("fairway-dev/host:trixie", "host", None, BASE.name)
# Only for the tests that reboot it; built when one of them asks.
SYSTEMD = Image("fairway-dev/systemd:trixie", "systemd", None, HOST.name)
# Only for what runs a pipeline's workflows; built when that is asked for.
RUNNER = Image("fairway-dev/runner:trixie", "runner", None, BASE.name)
# Only for the test that makes a host of it; built when that asks.
BARE = Image("fairway-dev/bare:trixie", "bare", None, BASE.name)

# An open registry: Debian's own default asks for a login.
MIRROR_CONFIG = """\
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
http: {addr: ':5000'}
"""

MIRRORED = (POSTGRES, REDIS, HAPROXY, *MONITORING)
# The biggest first: there are more images than processors.
SERVICES = (HOST, PYTHON, POSTGRES, REGISTRY, HAPROXY, HAPROXY_OLDER, REDIS, *MONITORING)


def prepare(say: Callable[[str], None] = print) -> None:
    """Make sure every image is there, and the hosts' mirror filled. Raises ``TestbedError``."""
    started = time.monotonic()
    record = _read_record()
    before = json.dumps(record, sort_keys=True)
    wanted = _missing(record)
    if wanted:
        reachable = _can_pull(record)
        if not reachable:
            say("no public image can be pulled here: building the testbed's images from Debian packages")
        if BASE in wanted and not (reachable and _pull(BASE, record, say)):
            _bootstrap_base(say)
        with ThreadPoolExecutor(max_workers=3) as pool:
            jobs = [pool.submit(_provide, image, reachable, record, say) for image in _missing(record)]
            for job in jobs:
                job.result()
    _provide_python(say)
    _fill_mirror(record, say)
    if json.dumps(record, sort_keys=True) != before:
        STATE.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
        say(f"images ready ({time.monotonic() - started:.0f} s)")


def provide_systemd(say: Callable[[str], None] = print) -> Image:
    """Make sure that the host with systemd is there, and return it."""
    return _provide_late(SYSTEMD, say)


def provide_runner(say: Callable[[str], None] = print) -> Image:
    """Make sure that what a pipeline's jobs run in is there, and return it."""
    return _provide_late(RUNNER, say)


def provide_bare(say: Callable[[str], None] = print) -> Image:
    """Make sure that the host that nobody has prepared is there, and return it."""
    return _provide_late(BARE, say)


def _provide_late(image: Image, say: Callable[[str], None]) -> Image:
    base = inspect("image", image.base or "")
    there = inspect("image", image.name)
    if not base:
        raise TestbedError("the testbed's images are not prepared; run: scripts/images.sh")
    expected = _hash(image, base[0]["Id"])
    if not there or (there[0]["Config"].get("Labels") or {}).get(HASH_LABEL) != expected:
        _build(image, say)
    return image


def mirror_volume() -> str:
    """Return the volume that holds what the hosts' mirror serves. Raises ``TestbedError`` when there is none."""
    volume = _read_record().get("mirror", {}).get("volume")
    if not isinstance(volume, str):
        raise TestbedError("the testbed's images are not prepared; run: scripts/images.sh")
    return volume


def mirror_command() -> tuple[str, ...]:
    """Return the last arguments of the ``docker run`` of a mirror."""
    STATE.mkdir(exist_ok=True)
    config = STATE / "mirror.yml"
    if not config.exists() or config.read_text(encoding="utf-8") != MIRROR_CONFIG:
        config.write_text(MIRROR_CONFIG, encoding="utf-8")
    mount = f"--volume={config}:/etc/fairway/config.yml:ro"
    return (mount, "--entrypoint=/bin/registry", REGISTRY.name, "serve", "/etc/fairway/config.yml")


def remove_all() -> list[str]:
    """Remove every image of ours, and the public ones that were pulled for it; return their names."""
    record = _read_record()
    names = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "fairway-dev/*").stdout.split()
    names += [name for name in record.get("pulled", {}) if inspect("image", name)]
    if names:
        docker("rmi", "--force", *names)
    RECORD.unlink(missing_ok=True)
    return names


def _read_record() -> dict[str, Any]:
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _missing(record: dict[str, Any]) -> list[Image]:
    """List the images that are absent or made from something else than what is here now."""
    there = {
        tag: found
        for found in inspect("image", *(image.name for image in (BASE, *SERVICES)))
        for tag in found["RepoTags"]
    }

    def current(image: Image) -> bool:
        found = there.get(image.name)
        if found is None:
            return False
        if record.get("images", {}).get(image.name) == found["Id"]:
            return True
        base = there.get(image.base or "")
        expected = _hash(image, base["Id"] if base else "")
        return bool((found["Config"].get("Labels") or {}).get(HASH_LABEL) == expected)

    return [image for image in (BASE, *SERVICES) if not current(image)]


def _hash(image: Image, base_id: str, *extra: bytes) -> str:
    digest = hashlib.sha256(base_id.encode())
    for file in sorted((SOURCES / image.folder).iterdir()) if image.folder else []:
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    for content in extra:
        digest.update(b"\0" + content)
    return digest.hexdigest()


def _can_pull(record: dict[str, Any]) -> bool:
    """Try the smallest public image that is wanted anyway."""
    public = REGISTRY.public or ""
    if inspect("image", public):
        return True
    try:
        done = run(["docker", "pull", "--quiet", public], check=False, timeout_s=PROBE_S)
    except TestbedError:
        return False
    if done.returncode == 0:
        record.setdefault("pulled", {})[public] = True
    return done.returncode == 0


def _provide(image: Image, reachable: bool, record: dict[str, Any], say: Callable[[str], None]) -> None:
    if not (reachable and image.public and _pull(image, record, say)):
        _build(image, say)


def _pull(image: Image, record: dict[str, Any], say: Callable[[str], None]) -> bool:
    """Pull the public image, with the user's own configuration, and give it our name."""
    if image.public is None:
        return False
    if not inspect("image", image.public):
        say(f"pulling {image.public}")
        try:
            done = run(["docker", "pull", "--quiet", image.public], check=False, timeout_s=PULL_S)
        except TestbedError:
            return False
        if done.returncode != 0:
            return False
        record.setdefault("pulled", {})[image.public] = True
    docker("tag", image.public, image.name)
    record.setdefault("images", {})[image.name] = inspect("image", image.name)[0]["Id"]
    return True


def _build(image: Image, say: Callable[[str], None], context: Path | None = None, *extra: bytes) -> None:
    say(f"building {image.name}")
    base = inspect("image", image.base or "")
    if not base:
        raise TestbedError(f"{image.base} is missing")
    docker(
        "buildx",
        "build",
        "--builder=default",
        "--load",
        # Where firewalls or name servers do not agree with Docker's own networks, this still works.
        "--network=host",
        "--quiet",
        f"--tag={image.name}",
        f"--label={LABEL}=1",
        f"--label={HASH_LABEL}={_hash(image, base[0]['Id'], *extra)}",
        f"--build-arg=BASE={image.base}",
        # Package lists go stale: a list of today is taken whenever something is built anew.
        f"--build-arg=APT_DATE={datetime.now(UTC):%Y-%m-%d}",
        *(f"--build-arg={name}" for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ),
        context or SOURCES / image.folder,
        timeout_s=600,
    )


def _provide_python(say: Callable[[str], None]) -> None:
    """Give the example's base image the certificates this machine trusts, when it names a bundle of its own."""
    bundle = next((Path(value) for name in CA_VARIABLES if (value := os.environ.get(name))), None)
    plain = inspect("image", PYTHON.name)[0]
    there = inspect("image", PYTHON_CA.name)
    if bundle is None or not bundle.is_file():
        if not there or there[0]["Id"] != plain["Id"]:
            docker("tag", PYTHON.name, PYTHON_CA.name)
        return
    content = bundle.read_bytes()
    expected = _hash(PYTHON_CA, plain["Id"], content)
    if there and (there[0]["Config"].get("Labels") or {}).get(HASH_LABEL) == expected:
        return
    with tempfile.TemporaryDirectory() as directory:
        context = Path(directory)
        shutil.copy(SOURCES / PYTHON_CA.folder / "Dockerfile", context)
        (context / "ca.crt").write_bytes(content)
        _build(PYTHON_CA, say, context, content)


def _bootstrap_base(say: Callable[[str], None]) -> None:
    """Make a minimal Debian from packages, as the public image is made."""
    program = shutil.which("mmdebstrap")
    if program is None:
        say("installing mmdebstrap")
        _shell("apt_install mmdebstrap debian-archive-keyring")
        program = "mmdebstrap"
    mirror = _shell("debian_mirror")
    say(f"building {BASE.name} from {mirror}")
    make = [
        program,
        "--quiet",
        "--variant=minbase",
        f"--keyring={KEYRING}",
        # Nobody reads manuals here, and a layer need not outlive a power cut.
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale")),
        "--dpkgopt=force-unsafe-io",
        # No package may start its service while an image is built.
        '--customize-hook=printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"',
        '--customize-hook=chmod 755 "$1/usr/sbin/policy-rc.d"',
        "trixie",
        "-",
        mirror,
    ]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(make, stdout=subprocess.PIPE, stderr=errors) as maker:
            imported = subprocess.run(
                [
                    *("docker", "import", "--change=CMD bash", f"--change=LABEL {LABEL}=1"),
                    *(f"--change=LABEL {HASH_LABEL}={_hash(BASE, '')}", "-", BASE.name),
                ],
                stdin=maker.stdout,
                capture_output=True,
                env=environment(),
                text=True,
                check=False,
            )
        errors.seek(0)
        if maker.returncode or imported.returncode:
            raise TestbedError(f"Debian could not be bootstrapped:\n{errors.read().decode()}{imported.stderr}")


def _shell(command: str) -> str:
    """Run one of the functions that the scripts share."""
    return run(["bash", "-c", f"set -e; . scripts/lib.sh; {command}"], cwd=ROOT, timeout_s=300).stdout.strip()


def _fill_mirror(record: dict[str, Any], say: Callable[[str], None]) -> None:
    """Push the services' images into the volume that every bed's mirror serves, read-only."""
    images = {image.name: image for image in MIRRORED}
    ids = {tag: found["Id"] for found in inspect("image", *images) for tag in found["RepoTags"] if tag in images}
    known = record.get("mirror", {})
    volume = f"fairway-dev-mirror-{hashlib.sha256(json.dumps(ids, sort_keys=True).encode()).hexdigest()[:12]}"
    if known.get("volume") == volume and inspect("volume", volume):
        return
    say("filling the hosts' mirror")
    docker("volume", "create", f"--label={LABEL}=1", volume)
    name = f"fairway-dev-mirror-fill-{os.getpid()}"
    docker(
        *("run", "--detach", "--rm", f"--name={name}", f"--label={LABEL}=1", "--publish=127.0.0.1::5000"),
        *(f"--volume={volume}:/var/lib/registry", *mirror_command()),
    )
    try:
        # Docker speaks plain HTTP to registries on the loopback without being told.
        address = docker("port", name, "5000/tcp").stdout.split()[0]
        with ThreadPoolExecutor(max_workers=3) as pool:
            list(pool.map(lambda image: _push(image, address), MIRRORED))
    finally:
        docker("rm", "--force", name, check=False)
    record["mirror"] = {"volume": volume}


def _push(image: Image, address: str) -> None:
    """Push one image under the name by which hosts ask their mirror for it."""
    public = image.public or ""
    reference = f"{address}/{public if '/' in public else f'library/{public}'}"
    docker("tag", image.name, reference)
    try:
        deadline = time.monotonic() + 20
        while (done := docker("push", "--quiet", reference, check=False, timeout_s=300)).returncode != 0:
            if time.monotonic() > deadline:
                raise TestbedError(f"{reference} could not be pushed: {done.stderr.strip()}")
            time.sleep(0.2)
    finally:
        docker("rmi", reference, check=False)


if __name__ == "__main__":
    try:
        prepare()
    except TestbedError as error:
        sys.exit(f"fairway-dev: {error}")
