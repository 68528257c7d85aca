"""What Git knows about the source of a release."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from fairway import process
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Tag

_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/].*)")
_PUBLIC_HOSTS = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")


@dataclass(frozen=True)
class Checkout:
    """A working tree: its commit, where it came from, and what differs from the commit.

    ``author`` is the e-mail address that the commit names, empty when it names none.
    ``changed`` lists the files that do not have the commit's content, untracked ones included.
    """

    root: Path
    commit: str
    author: str
    committed_at: datetime
    source: str | None
    changed: tuple[str, ...]

    @property
    def dirty(self) -> bool:
        """Whether the working tree is something else than the commit."""
        return bool(self.changed)


def read_checkout(root: Path) -> Checkout:
    """Read the state of the working tree that ``root`` is in.

    Raises ``Invalid`` when that is no Git repository, or one without a commit.
    """
    if _git(root, "rev-parse", "--is-inside-work-tree").stdout.strip() != "true":
        failure = _git(root, "rev-parse", "--is-inside-work-tree")
        raise Invalid(
            f"{root} is not in a Git working tree",
            why=failure.tail,
            hint="a release is named after a commit: git init, git add, git commit",
        )
    # Not %aE: a .mailmap, which is part of the commit, could make somebody else of its author.
    head = _git(root, "log", "-1", "--format=%H %ct %ae")
    if head.returncode != 0:
        raise Invalid("the Git repository has no commit yet", why=head.tail, hint="git add and git commit first")
    commit, seconds, author = head.stdout.rstrip("\n").split(" ", 2)
    origin = _git(root, "remote", "get-url", "origin")
    status = _git(root, "status", "--porcelain=v1", "-z").or_fail("Git cannot tell what has changed")
    return Checkout(
        root=root,
        commit=commit,
        author=author.strip(),
        committed_at=datetime.fromtimestamp(int(seconds), UTC),
        source=public_url(origin.stdout.strip()) if origin.returncode == 0 else None,
        changed=parse_status(status),
    )


def parse_status(text: str) -> tuple[str, ...]:
    """Return the paths in the output of ``git status --porcelain=v1 -z``."""
    paths: list[str] = []
    entries = iter(text.split("\0"))
    for entry in entries:
        if len(entry) > 3:
            paths.append(entry[3:])
            if entry[0] in "RC":
                next(entries, None)  # where a renamed file was before
    return tuple(paths)


def public_url(url: str) -> str | None:
    """Return a remote's address as it may be shown to everyone: without user, password and query.

    ``git@github.com:acme/app.git`` becomes ``https://github.com/acme/app``, the form by
    which registries link an image to its source. A path on this machine gives ``None``.

    >>> public_url("https://user:secret@git.example.com/acme/app.git")
    'https://git.example.com/acme/app'
    """
    scheme, host, path = "ssh", "", ""
    if "://" in url:
        try:
            parts = urlsplit(url)
            scheme, path = parts.scheme, parts.path
            host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        except ValueError:
            return None
    elif match := _SCP_LIKE.fullmatch(url):
        host, path = match["host"], match["path"]
    if scheme not in ("https", "http", "ssh", "git") or not re.fullmatch(r"[A-Za-z0-9.-]+(?::[0-9]+)?", host):
        return None
    if not re.fullmatch(r"[A-Za-z0-9._~/+-]+", path):
        return None
    if host in _PUBLIC_HOSTS:
        scheme = "https"
    return f"{scheme}://{host}/{path.strip('/').removesuffix('.git')}"


def release_tag(checkout: Checkout) -> Tag:
    """Return the tag a release of this working tree has.

    A clean tree has its commit's. A dirty tree has that of the commit it *would* be:
    it must not take the tag of a commit it is not, which would stand in the way of
    that commit's own release for ever. The same dirty tree gives the same tag.
    """
    return Tag(f"sha-{_would_be_commit(checkout) if checkout.dirty else checkout.commit}")


def _would_be_commit(checkout: Checkout) -> str:
    """Compute the id of a commit of the working tree on top of HEAD; the repository stays as it is."""
    root = checkout.root
    paths = _git(root, "rev-parse", "--git-path", "index", "--git-path", "objects").or_fail(
        "Git does not say where its objects are"
    )
    index, objects = ((root / line).resolve() for line in paths.splitlines())
    with tempfile.TemporaryDirectory(prefix="fairway-") as name:
        scratch = Path(name)
        (scratch / "objects").mkdir()
        if index.exists():
            shutil.copyfile(index, scratch / "index")
        moment = f"{int(checkout.committed_at.timestamp())} +0000"
        env = {
            "GIT_INDEX_FILE": str(scratch / "index"),
            "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
            **{f"GIT_{who}_{what}": "fairway" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            "GIT_AUTHOR_DATE": moment,
            "GIT_COMMITTER_DATE": moment,
        }
        failure = "Git cannot tell what commit the working tree would be"
        _git(root, "add", "--all", "--", ":/", env=env).or_fail(failure)
        tree = _git(root, "write-tree", env=env).or_fail(failure).strip()
        message = "Working tree"
        commit = _git(root, "commit-tree", "--no-gpg-sign", tree, "-p", checkout.commit, "-m", message, env=env)
        return commit.or_fail(failure).strip()


def untracked(root: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Return those of the files (relative to ``root``) that Git does not track."""
    listed = _git(root, "ls-files", "-z", "--", *(f":(literal){file}" for file in files))
    tracked = set(listed.or_fail("Git cannot list its files").split("\0"))
    return tuple(file for file in files if file not in tracked)


def files_below(root: Path, directory: str) -> tuple[str, ...]:
    """Return the files below a directory (relative to ``root``) that a commit of the working tree would hold.

    In a clean tree these are the files that Git tracks there.
    """
    wanted = ("--cached", "--others", "--exclude-standard", "--deduplicate")
    listed = _git(root, "ls-files", "-z", *wanted, "--", f":(literal){directory}")
    files = listed.or_fail("Git cannot list its files").split("\0")
    return tuple(sorted(file for file in files if file and os.path.lexists(root / file)))


def changed_since(root: Path, commit: str, directory: str) -> tuple[str, ...]:
    """Return the files below a directory (relative to ``root``) that came or changed since a commit.

    Since the working tree's history left that commit's, and with what is not committed yet.
    Raises ``Invalid`` when there is no such commit here.
    """
    resolved = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if resolved.returncode != 0:
        raise Invalid(
            f"there is no commit {commit[:100]!r} here",
            hint="name a branch, a tag or a commit; a shallow clone has few of them: git fetch --unshallow",
        )
    base = _git(root, "merge-base", resolved.stdout.strip(), "HEAD")
    start = base.stdout.strip() if base.returncode == 0 else resolved.stdout.strip()
    wanted = ("--name-only", "--no-renames", "--relative", "-z", start, "--", f":(literal){directory}")
    changed = _git(root, "diff", *wanted).or_fail("Git cannot tell what has changed")
    new = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", f":(literal){directory}")
    names = changed + new.or_fail("Git cannot list its files")
    return tuple(sorted({name for name in names.split("\0") if name}))


@dataclass(frozen=True)
class Commit:
    """A commit, as it is told to people."""

    commit: str
    day: str
    author: str
    subject: str


def commits_between(root: Path, old: str, new: str) -> tuple[Commit, ...] | None:
    """Return the commits that ``new`` has and ``old`` has not, newest first; None when one of the two is not here."""
    for commit in (old, new):
        if _git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
            return None
    wanted = ("--no-show-signature", "-z", "--format=%H%x00%cs%x00%ae%x00%s", f"{old}..{new}")
    fields = _git(root, "log", *wanted).or_fail("Git cannot list the commits").split("\0")
    return tuple(Commit(*fields[start : start + 4]) for start in range(0, len(fields) - 3, 4))


def subjects(root: Path, commits: Sequence[str]) -> dict[str, str]:
    """Return the subjects of those of the commits that are here, by their full names."""
    if not commits:
        return {}
    wanted = ("--no-walk=unsorted", "--ignore-missing", "--no-show-signature", "-z", "--format=%H%x00%s")
    done = _git(root, "log", *wanted, "--end-of-options", *commits)
    fields = done.stdout.split("\0") if done.returncode == 0 else []
    return dict(zip(fields[::2], fields[1::2], strict=False))


def signing_key(root: Path) -> str:
    """Return the SSH key that Git signs with here, a file or a public key itself; empty when it uses none."""
    if _git(root, "config", "--get", "gpg.format").stdout.strip() != "ssh":
        return ""
    return _git(root, "config", "--type=path", "--get", "user.signingkey").stdout.strip()


def identity(root: Path) -> str:
    """Return who commits here, ``Jane Doe <jane@example.com>``, or an empty string."""
    name, email = (_git(root, "config", "--get", f"user.{key}").stdout.strip() for key in ("name", "email"))
    return f"{name} <{email}>" if name and email else name or email


def _git(root: Path, *arguments: str, env: Mapping[str, str] | None = None) -> process.Completed:
    merged = {**os.environ, "LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0", **(env or {})}
    return process.run(["git", "-C", str(root), *arguments], env=merged)
