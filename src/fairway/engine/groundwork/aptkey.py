"""Hold a key that signs packages against its known fingerprint, before apt is told to believe it.

The file may hold that one key, its names, its subkeys and their signatures, and no
other key. A subkey without a signature of the key's own is one that apt does not take.

Source: RFC 4880, sections 4.2 (packets), 6.2 (armor), 12.2 (fingerprints).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from fairway.engine.contract.errors import Refused

_ARMOR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(?P<body>[A-Za-z0-9+/=\r\n]+?)"
    r"(?:=[A-Za-z0-9+/]{4}\r?\n)?-----END PGP PUBLIC KEY BLOCK-----"
)
_SIGNATURE, _KEY, _USER, _SUBKEY, _ATTRIBUTE = 2, 6, 13, 14, 17


def check_key(text: str, fingerprint: str, name: str) -> None:
    """Raise ``Refused`` unless a text is exactly one armored public key, the one with this fingerprint."""
    blocks = list(_ARMOR.finditer(text))
    if len(blocks) != 1 or text.count("-----BEGIN") != 1:
        raise _refused(name, "it is not one armored key")
    try:
        content = base64.b64decode(blocks[0]["body"], validate=False)
        packets = list(_packets(content))
    except (binascii.Error, ValueError, IndexError):
        raise _refused(name, "it cannot be read as a key") from None
    keys = [body for tag, body in packets if tag == _KEY]
    strange = {tag for tag, _ in packets} - {_SIGNATURE, _KEY, _USER, _SUBKEY, _ATTRIBUTE}
    if len(keys) != 1 or not packets or packets[0][0] != _KEY or strange:
        raise _refused(name, f"it holds {len(keys)} keys, or something that is none")
    found = fingerprint_of(keys[0])
    if found != fingerprint:
        raise _refused(name, f"its fingerprint is {found}, not {fingerprint}")


def fingerprint_of(body: bytes) -> str:
    """Return the fingerprint of a key packet of version 4; nothing for another version."""
    if body[:1] != b"\x04":
        return ""
    digest = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
    return digest.hexdigest().upper()


def _packets(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(content):
        head = content[position]
        if not head & 0x80:
            raise ValueError("no packet")
        if head & 0x40:
            tag, length, start = head & 0x3F, *_new_length(content, position + 1)
        else:
            size = 1 << (head & 3)
            if size == 8:
                raise ValueError("of no definite length")
            tag, start = (head >> 2) & 0xF, position + 1 + size
            length = int.from_bytes(content[position + 1 : start], "big")
        body = content[start : start + length]
        if len(body) != length:
            raise ValueError("cut short")
        yield tag, body
        position = start + length


def _new_length(content: bytes, position: int) -> tuple[int, int]:
    first = content[position]
    if first < 192:
        return first, position + 1
    if first < 224:
        return ((first - 192) << 8) + content[position + 1] + 192, position + 2
    if first == 255:
        return int.from_bytes(content[position + 1 : position + 5], "big"), position + 5
    raise ValueError("in parts")


def _refused(name: str, why: str) -> Refused:
    return Refused(
        f"the key of {name} is not the one that is known",
        why=why,
        hint="somebody may be in between; nothing was installed from there",
    )
