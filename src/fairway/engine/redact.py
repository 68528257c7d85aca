"""Take secrets out of text before anyone sees it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

_SECRET_KEY = re.compile(r"PASS|SECRET|TOKEN|KEY|SEED|CREDENTIAL|DSN|PRIVATE|AUTH", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?P<before>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)")
_MASK = "[redacted]"
# A shorter value is a word such as "true": masking it would garble every log without hiding anything.
_MIN_OTHER = 12


class Redactor:
    """Replaces the values of an environment file wherever they turn up.

    A value counts as secret when its key sounds like one, or when it is long
    enough not to be an ordinary word. Passwords in URLs are always masked.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        secrets = {
            value
            for key, value in values.items()
            if (_SECRET_KEY.search(key) and len(value) >= 3) or (len(value) >= _MIN_OTHER and "/" not in value)
        }
        ordered = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(secret) for secret in ordered)) if ordered else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(_MASK, text)
        return _URL_PASSWORD.sub(rf"\g<before>{_MASK}", text)


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and as a program that prints its environment or a URL would write it."""
    written = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    written |= {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {*written, base64.b64encode(secret.encode()).decode().rstrip("=")}
