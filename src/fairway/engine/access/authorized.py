"""The deploy user's ``authorized_keys``: Fairway's own lines in it, and the keys there that open a shell.

Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
"""

from __future__ import annotations

import base64
import hashlib
import pwd
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.access.ways import Way
from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.trust import Keys, PublicKey, Role
from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ownership import as_deploy_user, deploy_owner

_MAX_BYTES = 1024 * 1024
_ALGORITHM = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+")
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/-]+")
# The roles that connect, and by which way.
_WAYS = {Role.DEPLOY: Way.DEPLOY, Role.VIEWER: Way.LOOK}


@dataclass(frozen=True)
class Line:
    """One key in the file: where it stands, its options as written, the key and the comment."""

    number: int
    options: str
    algorithm: str
    blob: str
    comment: str

    @property
    def opens_shell(self) -> bool:
        """Say whether a client with this key runs what it likes."""
        return "command" not in _option_names(self.options)

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, as ``ssh-keygen -l`` shows it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def has(self, public: PublicKey) -> bool:
        """Say whether it is this key."""
        return [self.algorithm, self.blob] == public.split()


def parse(text: str) -> list[Line]:
    """Return the keys of an ``authorized_keys``; what is no key is passed over, as sshd does."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        options, rest = "", stripped
        if not _ALGORITHM.fullmatch(stripped.split()[0]):
            options, rest = _split_options(stripped)
        words = rest.split(None, 2)
        if len(words) < 2 or not _ALGORITHM.fullmatch(words[0]) or not _is_base64(words[1]):
            continue
        found.append(Line(number, options, words[0], words[1], words[2] if len(words) > 2 else ""))
    return found


def forced_line(layout: Layout, host: HostConfig, name: str, public: PublicKey, way: Way = Way.DEPLOY) -> str:
    """Return the line that lets a key speak the protocol and nothing else."""
    engine = f"{layout.engines}/current"
    if not _PLAIN_PATH.fullmatch(engine):
        raise Invalid(f"the deploy path cannot stand in authorized_keys: {engine!r}", hint="choose a plainer one")
    command = f"python3 -I {engine} {way.value}"
    return f'restrict,command="{command}" {public} fairway:{host.project}:{host.environment}:{name}'


def rewrite(text: str, mark: str, lines: Iterable[str], gone: Collection[PublicKey]) -> str:
    """Return the file with Fairway's part replaced and put first, and every line of a key that is gone left out.

    First, since sshd takes the first line that a key stands on: a key that also stands
    elsewhere must not open a shell by that. For the same reason a key that was revoked
    goes from everywhere. All other lines stay as they are.
    """
    begin, end = f"# begin {mark}: written by Fairway, changed with fairway keys", f"# end {mark}"
    # Told by themselves, not by what stands between the two: somebody may have edited one of them.
    own = {line.number for line in parse(text) if line.comment.startswith(f"{mark}:") and not line.opens_shell}
    dropped = {line.number for line in parse(text) if any(line.has(key) for key in gone)}
    rest = [
        line
        for number, line in enumerate(text.split("\n"), start=1)
        if number not in own | dropped and line not in (begin, end)
    ]
    wanted = list(lines)
    return "\n".join([*([begin, *wanted, end] if wanted else []), *rest])


def refuse_lockout(text: str, *, by_admin: bool) -> None:
    """Raise ``Refused`` when nobody could log in any more: neither by a shell nor as an administrator."""
    if by_admin or shells(text):
        return
    raise Refused(
        "that would leave nobody a way to log in to this host: not even to give a key back",
        why="no key of the deploy user could open a shell, and fairway.toml names no administrator",
        hint='set admin = "root" for this environment, or keep a key of your own in authorized_keys',
    )


def update(layout: Layout, host: HostConfig, keys: Keys, *, by_admin: bool) -> list[str]:
    """Bring the deploy user's file to what the keys say; return what happened to it, line by line.

    A file is touched only when something of Fairway's is or was to be in it.
    """
    lines, gone = _wanted(layout, host, keys)
    with as_deploy_user(layout):
        path = _path(layout)
        before = _read(path)
        after = rewrite(before, _mark(host), lines, gone)
        if after == before:
            return []
        refuse_lockout(after, by_admin=by_admin)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, after.encode(errors="surrogateescape"))
    return [f"{path} now has {len(lines)} of Fairway's keys", *_told(before, gone)]


def check(layout: Layout, host: HostConfig, keys: Keys) -> str:
    """Say for the doctor how many keys speak the protocol. Raises ``Failed`` when the file is not as the keys say."""
    lines, gone = _wanted(layout, host, keys)
    with as_deploy_user(layout):
        path = _path(layout)
        before = _read(path)
    if not lines and not gone:
        return "no deploy key was given yet: fairway keys add <environment> <name> <file> --role deploy"
    if rewrite(before, _mark(host), lines, gone) != before:
        raise Failed(
            f"{path} was changed: it is not what the keys of this host say",
            hint="fairway bootstrap <environment>",
        )
    return f"{len(lines)} of Fairway's keys in {path}"


def shell_keys(layout: Layout) -> list[str]:
    """Name the keys that open a shell as the deploy user: whoever has one can do what the deploy user can."""
    with as_deploy_user(layout):
        text = _read(_path(layout))
    return [f"{line.comment or 'no comment'} ({line.fingerprint}, line {line.number})" for line in shells(text)]


def describe(layout: Layout) -> str:
    """Say for the doctor which keys open a shell."""
    found = shell_keys(layout)
    if not found:
        return "none opens a shell"
    return f"{len(found)} can open a shell, and do what the deploy user can: {'; '.join(found)}"


def shells(text: str) -> list[Line]:
    """Return the lines by which a client gets a shell; of the lines with one key, sshd takes the first."""
    first: dict[str, Line] = {}
    for line in parse(text):
        first.setdefault(line.blob, line)
    return [line for line in first.values() if line.opens_shell]


def _wanted(layout: Layout, host: HostConfig, keys: Keys) -> tuple[list[str], set[PublicKey]]:
    """Return Fairway's lines, and the keys that must stand on no line at all."""
    connect = [key for key in keys.keys if key.role in _WAYS]
    lines = [forced_line(layout, host, key.name, key.public, _WAYS[key.role]) for key in connect if key.valid]
    valid = {key.public for key in connect if key.valid}
    return lines, {key.public for key in connect if not key.valid} - valid


def _mark(host: HostConfig) -> str:
    return f"fairway:{host.project}:{host.environment}"


def _told(before: str, gone: Collection[PublicKey]) -> list[str]:
    """Say which lines that were not Fairway's went with a key."""
    return [
        f"line {line.number} ({line.comment or 'no comment'}) had a revoked key without Fairway's command; it is gone"
        for line in parse(before)
        if line.opens_shell and any(line.has(key) for key in gone)
    ]


def _path(layout: Layout) -> Path:
    uid = deploy_owner(layout).st_uid
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        raise Failed(f"the deploy user is no user of this host: its number is {uid}") from None
    return Path(home) / ".ssh" / "authorized_keys"


def _read(path: Path) -> str:
    if path.is_symlink():
        raise Failed(f"{path} is a link", hint="Fairway keeps its lines in a file of the deploy user's own")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    if len(content) > _MAX_BYTES:
        raise Failed(f"{path} is too large", why=f"{len(content)} bytes")
    return content.decode(errors="surrogateescape")


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _split_options(line: str) -> tuple[str, str]:
    """Split a line after its options: they end at the first blank that stands in no quotes."""
    quoted = escaped = False
    for index, character in enumerate(line):
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character in " \t" and not quoted:
            return line[:index], line[index:].strip()
    return line, ""


def _option_names(options: str) -> set[str]:
    names, rest = set(), options
    while rest:
        match = re.match(r'([A-Za-z-]+)(?:=(?:"(?:\\.|[^"\\])*"|[^,"]*))?,?', rest)
        if match is None:
            break  # sshd does not take such a line at all
        names.add(match[1].lower())
        rest = rest[match.end() :]
    return names
