"""An OCI Distribution client that believes nothing it has not checked.

Every manifest and blob is hashed as it arrives, every answer is bounded in size,
and a login goes to the registry and its token server only, never along a redirect.
Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
"""

from __future__ import annotations

import enum
import json
import re
import time
from collections.abc import Callable, Iterator
from types import TracebackType

import httpx

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.names import Digest, Repository
from fairway.registry.credentials import Credentials, find_credentials
from fairway.registry.documents import MAX_MANIFEST_BYTES, Descriptor, Manifest, MediaType
from fairway.registry.failures import Transient
from fairway.registry.headers import next_link
from fairway.registry.http import Answer
from fairway.registry.session import Session, same_origin

MAX_TAGS = 100_000
PAGE_SIZE = 1000
_REFERENCE = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ACCEPT = {"Accept": ", ".join(MediaType.MANIFESTS)}


class Access(enum.Enum):
    """What a client asks a token server for, besides what a request needs by itself.

    One that will push asks for that from its first look on. Registries such as GHCR
    answer "denied" to the question whether a repository has a tag, as long as there is
    no such repository, but not to somebody who may make it; and a login that may not
    push shows before a build instead of after it.
    """

    PULL = "pull"
    PUSH = "pull,push"


class RegistryClient:
    """A client of one registry, ``host`` or ``host:port``.

    Plain HTTP is spoken to this machine only (``localhost``, ``127.0.0.0/8``) and only
    when it does not speak TLS. Every operation raises ``Unreachable`` when there is no
    connection and ``Failed`` when the registry refuses or lies.

    >>> client = RegistryClient("ghcr.io", find_credentials("ghcr.io"))   # doctest: +SKIP
    >>> client.head_manifest(Repository("ghcr.io/acme/app"), "sha-4f2a9c1")   # doctest: +SKIP
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None = None,
        *,
        access: Access = Access.PULL,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._access = access
        self._session = Session(registry, credentials, transport=transport, sleep=sleep)

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ping(self) -> None:
        """Ask whether this is a registry and takes the login."""
        answer = self._session.ask("GET", "/v2/", scope="", action="use it")
        if answer.status != 200:
            raise self._session.refusal(answer, "use it")

    def head_manifest(self, repository: Repository, reference: str) -> Descriptor | None:
        """Return what a tag or digest names, or ``None`` when it names nothing."""
        action = f"read {repository.path}"
        path = self._manifest_path(repository, reference)
        answer = self._session.ask("HEAD", path, scope=_scope(repository, self._access), action=action, headers=_ACCEPT)
        if answer.status == 404:
            return None
        digest = answer.headers.get("Docker-Content-Digest", "")
        size = answer.headers.get("Content-Length", "")
        if answer.status == 405 or (answer.status == 200 and not (digest and size.isdecimal())):
            manifest = self.find_manifest(repository, reference)
            return manifest.descriptor if manifest else None
        if answer.status != 200:
            raise self._session.refusal(answer, action)
        if reference.startswith("sha256:") and digest != reference:
            raise self._session.lie(f"asked for {reference[7:19]}, it answered with {digest[7:19]}")
        return Descriptor(_media_type(answer), self._digest(digest), int(size))

    def find_manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest a tag or digest names, its digest checked, or ``None``."""
        action = f"read {repository.path}"
        path = self._manifest_path(repository, reference)
        answer = self._session.ask(
            "GET",
            path,
            scope=_scope(repository, self._access),
            action=action,
            headers=_ACCEPT,
            limit_bytes=MAX_MANIFEST_BYTES,
        )
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._session.refusal(answer, action)
        digest = Digest.of(answer.body)
        told = reference if reference.startswith("sha256:") else answer.headers.get("Docker-Content-Digest", digest)
        if told != digest:
            raise self._session.lie(f"the manifest it sent is {digest.short}, and was to be {told[7:19]}")
        return Manifest(Descriptor(_media_type(answer), digest, len(answer.body)), answer.body)

    def get_manifest(self, repository: Repository, reference: str) -> Manifest:
        """Return the manifest a tag or digest names. Raises ``Failed`` when there is none."""
        manifest = self.find_manifest(repository, reference)
        if manifest is None:
            shown = reference if len(reference) < 50 else reference[:19]
            raise Failed(f"{repository} has no {shown}", hint="list the releases with: fairway releases")
        return manifest

    def put_manifest(self, repository: Repository, reference: str, media_type: str, content: bytes) -> Descriptor:
        """Store a manifest under a tag or its digest. A tag that is there already is moved: ask first."""
        action = f"push to {repository.path}"
        path = self._manifest_path(repository, reference)
        answer = self._session.ask(
            "PUT",
            path,
            scope=_scope(repository, Access.PUSH),
            action=action,
            headers={"Content-Type": media_type},
            content=content,
        )
        if answer.status not in (201, 202):
            raise self._session.refusal(answer, action)
        self._confirm(answer, Digest.of(content))
        return Descriptor(media_type, Digest.of(content), len(content))

    def has_blob(self, repository: Repository, digest: Digest) -> bool:
        """Say whether a repository has a blob."""
        action = f"read {repository.path}"
        path = f"/v2/{repository.path}/blobs/{digest}"
        answer = self._session.ask("HEAD", path, scope=_scope(repository, self._access), action=action)
        if answer.status not in (200, 404):
            raise self._session.refusal(answer, action)
        return answer.status == 200

    def get_blob(self, repository: Repository, digest: Digest, *, limit_bytes: int) -> bytes:
        """Return a blob's bytes, which have the digest asked for. Raises ``Failed`` beyond the limit."""
        action = f"read {repository.path}"
        path = f"/v2/{repository.path}/blobs/{digest}"
        answer = self._session.ask(
            "GET", path, scope=_scope(repository, self._access), action=action, limit_bytes=limit_bytes
        )
        if answer.status != 200:
            raise self._session.refusal(answer, action)
        if (found := Digest.of(answer.body)) != digest:
            raise self._session.lie(f"asked for {digest.short}, it sent {found.short}")
        return answer.body

    def put_blob(self, repository: Repository, content: bytes) -> Digest:
        """Store a blob in one piece, unless the repository has it."""
        digest = Digest.of(content)
        if not self.has_blob(repository, digest):
            self._session.persistently(lambda: self._upload(repository, digest, content))
        return digest

    def list_tags(self, repository: Repository) -> list[str]:
        """Return all tags of a repository, over as many pages as it takes; none when it does not exist."""
        tags: list[str] = []
        for answer in self._tag_pages(repository):
            try:
                page = json.loads(answer.body)["tags"] or []
            except (ValueError, RecursionError, LookupError, TypeError):
                page = None
            if not isinstance(page, list) or not all(isinstance(tag, str) for tag in page):
                raise self._session.lie("its list of tags is not one")
            tags += page
            if len(tags) > MAX_TAGS:
                raise Failed(f"{repository} has more than {MAX_TAGS} tags", hint="delete old ones in the registry")
        return tags

    def _tag_pages(self, repository: Repository) -> Iterator[Answer]:
        action = f"list the tags of {repository.path}"
        first = f"/v2/{repository.path}/tags/list"
        target: str | httpx.URL | None = f"{first}?n={PAGE_SIZE}"
        seen: set[str] = set()
        while target is not None:
            answer = self._session.ask(
                "GET", target, scope=_scope(repository, self._access), action=action, limit_bytes=MAX_MANIFEST_BYTES
            )
            if answer.status == 404:
                return
            if answer.status == 400 and not seen:  # Distribution 3 may be set to shorter pages, and takes no less
                seen.add(first)
                target = first
                continue
            if answer.status != 200:
                raise self._session.refusal(answer, action)
            yield answer
            link = next_link(answer.headers.get("Link", ""))
            target = self._session.joined(answer.url, link) if link else None
            if target is not None and (str(target) in seen or not same_origin(target, answer.url)):
                raise self._session.lie("its list of tags leads in a circle, or elsewhere")
            seen.add(str(target))

    def _upload(self, repository: Repository, digest: Digest, content: bytes) -> None:
        scope, action = _scope(repository, Access.PUSH), f"push to {repository.path}"
        started = self._session.attempt(
            "POST", self._session.url(f"/v2/{repository.path}/blobs/uploads/"), scope, action, content=b""
        )
        if started.status != 202 or "Location" not in started.headers:
            raise self._session.refusal(started, action)
        location = self._session.joined(started.url, started.headers["Location"])
        # Appended as text: the state some registries carry in the query must come back as it was.
        url = httpx.URL(f"{location}{'&' if location.query else '?'}digest={digest}")
        headers = {"Content-Type": "application/octet-stream"}
        done = self._session.attempt("PUT", url, scope, action, headers=headers, content=content)
        if done.status == 404:
            raise Transient(self._session.refusal(done, action))  # the upload was forgotten: start it again
        if done.status != 201:
            raise self._session.refusal(done, action)
        self._confirm(done, digest)

    def _manifest_path(self, repository: Repository, reference: str) -> str:
        if not _REFERENCE.fullmatch(reference):
            raise Failed(f"not a tag or digest: {reference[:80]!r}")
        return f"/v2/{repository.path}/manifests/{reference}"

    def _digest(self, value: str) -> Digest:
        try:
            return Digest(value)
        except FairwayError:
            raise self._session.lie("it answered with something that is no sha256 digest") from None

    def _confirm(self, answer: Answer, digest: Digest) -> None:
        told = answer.headers.get("Docker-Content-Digest", digest)
        if told != digest:
            raise self._session.lie(f"it stored {told[7:19]} where {digest.short} was sent")


def _scope(repository: Repository, access: Access) -> str:
    return f"repository:{repository.path}:{access.value}"


def _media_type(answer: Answer) -> str:
    return str(answer.headers.get("Content-Type", "")).partition(";")[0].strip()


def connect(registry: str, access: Access = Access.PULL) -> RegistryClient:
    """Return a client that logs in as Docker would on this machine."""
    return RegistryClient(registry, find_credentials(registry), access=access)
