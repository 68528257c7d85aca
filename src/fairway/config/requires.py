"""Which Fairway a repository asks for, and whether this is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairway import __version__
from fairway.engine.contract.errors import Invalid

KEY = "requires"


def requirement(value: str) -> str:
    """Check a PEP 440 specifier such as ``==0.1.*`` or ``>=0.1,<0.3``."""
    # Only a file that asks needs it, and every command reads the file.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        specifiers = SpecifierSet(value)
    except InvalidSpecifier:
        specifiers = SpecifierSet()
    if not len(specifiers):
        raise ValueError(f'must be a version specifier like "==0.1.*", not {value[:60]!r}')
    return str(value)


def refuse_other_version(document: Mapping[str, Any], name: str, version: str = __version__) -> None:
    """Raise ``Invalid`` when the file asks for another Fairway than this.

    Asked before anything else is read: another version's keys would only look like mistakes.
    """
    asked = document.get(KEY)
    if not isinstance(asked, str):
        return
    try:
        checked = requirement(asked)
    except ValueError:
        return  # told with the other problems
    from packaging.specifiers import SpecifierSet

    if not SpecifierSet(checked).contains(version, prereleases=True):
        raise Invalid(
            f"{name} asks for Fairway {checked}, and this is {version}",
            why="everyone who works on the repository, and its pipeline, is to use the same",
            hint=f'python3 -m pip install "fairway{checked}"',
        )


def suggested(version: str = __version__) -> str:
    """Return the specifier of this version's line of releases: its first two numbers.

    >>> suggested("1.4.2")
    '==1.4.*'
    """
    major, minor = version.split(".")[:2]
    return f"=={major}.{minor}.*"
