"""Look for values that must not be somewhere: as they are, and as programs commonly encode them."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import secrets
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from testbed.host import Host

_SHORTEST = 8


class Searcher:
    """Knows some secrets by name and finds them in whatever it is shown."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._needles = {needle: name for name, value in values.items() for needle in _forms(value)}

    def names_in(self, content: bytes | str) -> set[str]:
        """Return the names of the secrets in it; what is gzipped or a tar archive is looked into."""
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        return {name for part in _unpacked(data) for needle, name in self._needles.items() if needle in part}


def _forms(value: str) -> set[bytes]:
    """Return how a value may be written; of one with several lines each line counts, as it is no secret in parts."""
    forms: set[bytes] = set()
    lines = [line for line in value.splitlines() if not line.startswith("-----")]
    for text in {value, *lines}:
        raw = text.encode()
        if len(raw) < _SHORTEST:
            continue
        quoted = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
        written = {text, *quoted, quote(text), quote(text, safe=""), quote_plus(text), html.escape(text)}
        forms |= {form.encode() for form in written} | {raw.hex().encode()}
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # At each place within a longer text, without what the neighbours have a part in.
            for before in range(3):
                coded = encode(b"\0" * before + raw)
                end = len(coded) - (4 if (before + len(raw)) % 3 else 0)
                forms.add(coded[4 if before else 0 : end])
    return {form for form in forms if len(form) >= _SHORTEST}


def _unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    if data[:2] == b"\x1f\x8b":
        try:
            yield from _unpacked(gzip.decompress(data))
        except (OSError, EOFError, zlib.error):
            return
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                content = file.read() if file is not None else b""
                if content[:2] == b"\x1f\x8b":
                    yield from _unpacked(content)


# Runs as root on a host: prints each process once that is of the host itself and not of a container's.
_SAMPLER = r"""
import base64, json, os, sys, time
stop, mine = sys.argv[1], os.readlink("/proc/self/ns/mnt")
seen = set()
while not os.path.exists(stop):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/ns/mnt" % pid) != mine:
                continue
            arguments = open("/proc/%s/cmdline" % pid, "rb").read()
            environment = open("/proc/%s/environ" % pid, "rb").read()
        except OSError:
            continue
        if arguments and (arguments, environment) not in seen:
            seen.add((arguments, environment))
            print(json.dumps([base64.b64encode(part).decode() for part in (arguments, environment)]), flush=True)
    time.sleep(0.005)
"""

# Stands before a program on PATH: writes down what it is called with, and becomes it.
_RECORDER = """#!/usr/bin/python3 -I
import json, os, sys
own = os.path.dirname(os.path.realpath(__file__))
environment = dict(os.environ)
with open({file!r}, "a") as file:
    file.write(json.dumps([sys.argv, environment]) + "\\n")
rest = [part for part in os.environ["PATH"].split(":") if os.path.realpath(part) != own]
os.environ["PATH"] = ":".join(rest)
os.execvp(os.path.basename(sys.argv[0]), [os.path.basename(sys.argv[0]), *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Seen:
    """The arguments and the environment of one process."""

    arguments: bytes
    environment: bytes


class Sampler:
    """Watches the processes of a host for as long as the ``with`` block lasts."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._base = f"/run/leaks-{secrets.token_hex(4)}"

    def __enter__(self) -> Sampler:
        self._host.put(f"{self._base}.py", _SAMPLER)
        self._host.sh(f"setsid python3 {self._base}.py {self._base}.stop >{self._base}.out 2>&1 </dev/null &")
        return self

    def __exit__(self, *raised: object) -> None:
        self._host.sh(f"touch {self._base}.stop")

    def processes(self) -> list[Seen]:
        """Return each process that was seen."""
        lines = self._host.get(f"{self._base}.out").splitlines()
        self._host.sh(f"rm -f {self._base}.*")
        return [Seen(*map(base64.b64decode, json.loads(line))) for line in lines]


def record_programs(directory: Path, programs: Iterable[str]) -> Path:
    """Put recorders of programs into a directory that is to come first on PATH; return the file they write."""
    file = directory / "called.jsonl"
    file.touch()
    for program in programs:
        path = directory / program
        path.write_text(_RECORDER.format(file=str(file)), encoding="utf-8")
        path.chmod(0o755)
    return file
