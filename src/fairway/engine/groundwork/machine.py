"""The machine that is made ready: what can be seen of it, what can be changed, and this very host.

Everything that runs as root is a list of words here; no shell is started.
"""

from __future__ import annotations

import grp
import http.client
import os
import pwd
import shutil
import socket
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Protocol

from fairway.engine import sockets
from fairway.engine.contract.errors import Failed
from fairway.engine.files import write_atomically
from fairway.engine.nginx import server
from fairway.engine.nginx.server import PATH, NginxConfig
from fairway.engine.process import Completed, run, stream

_MAX_BYTES = 1024 * 1024
_PROBE_S = 5.0
#: How a program ends that is not there, as in a shell.
NOT_FOUND = 127


@dataclass(frozen=True)
class Account:
    """A user of the machine, and the groups it is in beside its own."""

    name: str
    uid: int
    gid: int
    home: str
    groups: tuple[str, ...]
    shell: str = "/bin/bash"


@dataclass(frozen=True)
class Found:
    """A file or a directory as it is, links not followed."""

    uid: int
    gid: int
    mode: int
    directory: bool
    #: Neither a directory nor a link, a pipe or a device.
    plain: bool = True


class View(Protocol):
    """What can be seen of a host: enough to plan by, and nothing that changes it."""

    @property
    def systemd(self) -> bool: ...

    @property
    def ipv6(self) -> bool: ...

    def read(self, path: str) -> str | None:
        """Return a file's text, None when there is none that can be read."""
        ...

    def find(self, path: str) -> Found | None: ...

    def real(self, path: str) -> str:
        """Return where a path leads when its links are followed."""
        ...

    def which(self, program: str) -> bool: ...

    def account(self, name: str) -> Account | None: ...

    def has_group(self, name: str) -> bool: ...

    def listening(self) -> list[tuple[str, int]]: ...

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 60.0) -> Completed:
        """Run a program; one that is not there ends with 127, as in a shell."""
        ...

    def nginx(self) -> NginxConfig:
        """Return what nginx reads, as it says itself."""
        ...

    def nginx_problem(self) -> str:
        """Return what nginx has against its files, or nothing."""
        ...

    def ask(self, name: str, path: str) -> str:
        """Return what this machine answers on port 80 under a name; nothing when it does not."""
        ...

    def served_certificate(self, name: str) -> str:
        """Return the certificate, in PEM, that this machine shows on port 443 for a name; nothing without one."""
        ...


class Machine(View, Protocol):
    """A host that can be changed, too."""

    def stream(self, argv: Sequence[str], tell: Callable[[str], None], *, timeout_s: float) -> int:
        """Run a program that takes long, and hand over what it says."""
        ...

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of root's in one go."""
        ...

    def write_new(self, path: str, text: str, owner: Account) -> bool:
        """Make a private file of a user's with this text; return False when something of that name is there."""
        ...

    def make_directory(self, path: str, *, mode: int = 0o755, gid: int = 0) -> None:
        """Make a directory of root's, and those above it."""
        ...

    def remove(self, path: str) -> None: ...

    def reload_nginx(self) -> None:
        """Have nginx serve by its files. Raises ``Failed`` when it does not."""
        ...


class ThisMachine:
    """The host that this program runs on, as root."""

    @property
    def systemd(self) -> bool:
        return Path("/run/systemd/system").is_dir()

    @property
    def ipv6(self) -> bool:
        return Path("/proc/net/if_inet6").exists()

    def read(self, path: str) -> str | None:
        try:
            # A pipe, which the deploy user could put anywhere in its directory, would be waited for without end.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return None
                return file.read(_MAX_BYTES).decode("utf-8", errors="replace")
        except OSError:
            return None

    def find(self, path: str) -> Found | None:
        try:
            found = os.lstat(path)
        except OSError:
            return None
        kind = found.st_mode
        return Found(found.st_uid, found.st_gid, stat.S_IMODE(kind), stat.S_ISDIR(kind), stat.S_ISREG(kind))

    def real(self, path: str) -> str:
        return os.path.realpath(path)

    def which(self, program: str) -> bool:
        return shutil.which(program, path=PATH) is not None

    def account(self, name: str) -> Account | None:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            return None
        groups = tuple(group.gr_name for group in grp.getgrall() if name in group.gr_mem)
        return Account(name, user.pw_uid, user.pw_gid, user.pw_dir, groups, user.pw_shell)

    def has_group(self, name: str) -> bool:
        return any(group.gr_name == name for group in grp.getgrall())

    def listening(self) -> list[tuple[str, int]]:
        return sockets.listening()

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 60.0) -> Completed:
        if not argv[0].startswith("/") and not self.which(argv[0]):
            return Completed(NOT_FOUND, "", f"{argv[0]}: not found")
        return run(argv, env=_environment(), stdin=stdin, timeout_s=timeout_s)

    def stream(self, argv: Sequence[str], tell: Callable[[str], None], *, timeout_s: float) -> int:
        return stream(argv, env=_environment(), on_line=tell, timeout_s=timeout_s)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        self.make_directory(str(Path(path).parent))
        write_atomically(Path(path), text.encode("utf-8"), mode=mode)

    def write_new(self, path: str, text: str, owner: Account) -> bool:
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchown(descriptor, owner.uid, owner.gid)
                file.write(text.encode("utf-8"))
                file.flush()
                os.fsync(descriptor)
            # Unlike a rename it never takes the place of what somebody has put there meanwhile.
            os.link(temporary, target, follow_symlinks=False)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def make_directory(self, path: str, *, mode: int = 0o755, gid: int = 0) -> None:
        directory = Path(path)
        if directory.is_dir():
            return
        previous = os.umask(0o022)
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir(mode=0o700)
        finally:
            os.umask(previous)
        # Held open, so that what gets the owner and the mode is what was made.
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(descriptor, 0, gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)

    def remove(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)

    def nginx(self) -> NginxConfig:
        return server.read_config()

    def nginx_problem(self) -> str:
        return server.check()

    def reload_nginx(self) -> None:
        try:
            server.reload(server.read_config().texts)
            return
        except Failed:
            if self.run(["nginx", "-s", "reload"]).returncode == 0:
                raise  # it runs, and does not take its files on
        started = self.run(["systemctl", "start", "nginx.service"] if self.systemd else ["nginx"])
        if started.returncode != 0:
            raise Failed("nginx does not start", why=started.stderr.strip()[-500:], hint="journalctl -u nginx")
        if self.systemd:
            # Not before it has started: where another program has its port, the two would race at each boot.
            self.run(["systemctl", "enable", "nginx.service"])

    def ask(self, name: str, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=_PROBE_S)
        try:
            connection.request("GET", path, headers={"Host": name})
            answer = connection.getresponse()
            return answer.read(_MAX_BYTES).decode("utf-8", errors="replace") if answer.status == 200 else ""
        except (OSError, http.client.HTTPException):
            return ""
        finally:
            connection.close()

    def served_certificate(self, name: str) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # It is looked at whoever has signed it: an operator's own CA need not be known here.
        context.verify_mode = ssl.CERT_NONE
        try:
            with (
                socket.create_connection(("127.0.0.1", 443), timeout=_PROBE_S) as plain,
                context.wrap_socket(plain, server_hostname=name) as connection,
            ):
                content = connection.getpeercert(binary_form=True)
        except OSError:
            return ""
        return ssl.DER_cert_to_PEM_cert(content) if content else ""


def _environment() -> dict[str, str]:
    return {
        "PATH": PATH,
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        # Ubuntu's would restart services unasked, Docker among them, and with it what serves.
        "NEEDRESTART_SUSPEND": "1",
    }
