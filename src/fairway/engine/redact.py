"""Take secrets out of text before anyone sees it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

# PIN and SIGN are parts of ordinary words, too: SHIPPING, DESIGN.
_SECRET_KEY = re.compile(
    r"PASS|PWD|SECRET|TOKEN|KEY|SEED|SALT|CREDENTIAL|DSN|PRIVATE|AUTH|HMAC|COOKIE|WEBHOOK"
    r"|(?<![A-Z])(?:PIN|SIGN(?:ING|ATURE)?)(?![A-Z])",
    re.IGNORECASE,
)
# Up to a quote at most: a line of JSON may have a URL with a port and, further on, an e-mail address.
_URL_PASSWORD = re.compile(r"(?P<before>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)[^\s@\"<>]+(?=@)")
_URL_USERINFO = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:(?:(?P<least>[^\s@]+)@)(?:(?P<rest>[^\s/]*)@)?")
# A path, an address (its password counts by itself), an image by its digest: no secret, and what logs are read for.
_NO_SECRET = re.compile(r"\.{0,2}/|[a-z][a-z0-9+.-]*://|[\w.:/-]+@sha256:[0-9a-f]{64}$")
# Where something is, and no more: NEXTAUTH_URL is the site's own address, whatever its name sounds like.
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?/?")
_SWITCHES = frozenset(("true", "false", "none", "null", "yes", "off", "auto", "lax", "strict", "enabled", "disabled"))
_MIN_SECRET = 3
_MASK = "[redacted]"
# A shorter value is a word such as "true": masking it would garble every log without hiding anything.
_MIN_OTHER = 12
# A shorter part of an address is a word such as "alerts"; a token has more.
_MIN_PART = 10
_PARTS = re.compile(r"[/?&=:@#]+")
# The name of a host, as it is written: where an address leads, or the domain of somebody's e-mail.
_HOST = r"(?:(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}|[0-9]{1,3}(?:\.[0-9]{1,3}){3})"
_HOST_OF_ADDRESS = re.compile(rf"(?:^|@)({_HOST})(?=[/?&:#,]|$)")
# A setting that says where the site is: what a message about it has to name.
_HOST_KEY = re.compile(r"HOST|DOMAIN|SERVER|SITE", re.IGNORECASE)


class Redactor:
    """Replaces the values of an environment file wherever they turn up.

    A value counts as secret when its key sounds like one, or when it is long enough not to
    be an ordinary word and is neither a path nor an address. The password in an address counts
    by itself. Passwords in URLs are always masked.
    """

    def __init__(self, values: Mapping[str, str], *earlier: Mapping[str, str], addresses: Collection[str] = ()) -> None:
        """``earlier`` are other values of the same keys, such as those that a running container was started with.

        ``addresses`` are the keys whose values are addresses that are secret themselves, with tokens in their paths.
        """
        known = [*values.items(), *((k, v) for one in earlier for k, v in one.items() if k in values)]
        secrets = {secret for key, value in known for secret in _secrets(key, value)}
        secrets |= {part for key, value in known if key in addresses for part in _told_apart(value)}
        ordered = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(secret) for secret in ordered)) if ordered else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(_MASK, text)
        return _URL_PASSWORD.sub(rf"\g<before>{_MASK}", text)


def address_parts(address: str, *, least: int = _MIN_PART) -> set[str]:
    """Return an address that is a secret, and those of its parts that have so many characters, as written and read."""
    if len(address) < _MIN_SECRET:
        return set()
    parts = [part for part in _PARTS.split(address.partition("://")[2]) if len(part) >= least]
    return {address, *parts, *(unquote(part) for part in parts)}


def _told_apart(address: str) -> set[str]:
    """Return what of an address nobody may see, without the hosts: those of an e-mail are often the site's own."""
    return address_parts(address) - set(_HOST_OF_ADDRESS.findall(address.partition("://")[2]))


def _secrets(key: str, value: str) -> Iterator[str]:
    """Return what of a setting nobody may see."""
    if _ORIGIN.fullmatch(value):
        return
    named = _SECRET_KEY.search(key) and len(value) >= _MIN_SECRET and value.lower() not in _SWITCHES
    public = _NO_SECRET.match(value) or (_HOST_KEY.search(key) and re.fullmatch(_HOST, value))
    if named or (len(value) >= _MIN_OTHER and not public):
        yield value
    for found in _URL_USERINFO.finditer(value):
        # A password may have an @ in it, and so may what comes after the host: both readings count.
        for password in (found["least"], f"{found['least']}@{found['rest']}" if found["rest"] else ""):
            yield from (form for form in (password, unquote(password)) if len(form) >= _MIN_SECRET)


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and as a program that prints its environment or a URL would write it."""
    written = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    written |= {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {*written, base64.b64encode(secret.encode()).decode().rstrip("=")}
