"""What is others' work is just what they published."""

from __future__ import annotations

import hashlib
import re

from fairway.dashboard.rendering import HERE

VENDOR = HERE / "static/vendor"


def test_each_file_is_named_with_its_licence_and_has_not_been_changed() -> None:
    rows = re.findall(r"^\| `(\S+)` \| .* \| \S+ \| `([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.M)
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}
    assert dict(rows) == found
    assert found
