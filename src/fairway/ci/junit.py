"""Read JUnit reports: how many tests there were, which failed, and where.

A report is somebody else's text, so it is parsed with limits and without entities or document types
(defusedxml), and its elements are read by junitparser, which knows the dialects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from fairway.findings import Finding, Severity

MAX_BYTES = 32 * 1024 * 1024
_MAX_FILES = 1000
_MAX_TEXT = 4000
_MAX_PATH = 1000
_PLACE = r"(?:^|[\s(\[\"'])(?:[^\s()\"']*/)?{name}:(\d{{1,7}})\b"

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Failure:
    """A test that failed. ``path`` is relative to the root where it could be told, ``line`` 0 where not."""

    test: str
    message: str
    text: str = ""
    path: str = ""
    line: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as part of the document that ``--json`` prints."""
        return {"test": self.test, "message": self.message, "path": self.path or None, "line": self.line or None}


@dataclass(frozen=True)
class Tests:
    """What a stage's reports say together. ``problems`` are of reports that could not be read."""

    total: int = 0
    skipped: int = 0
    failures: tuple[Failure, ...] = ()
    problems: tuple[str, ...] = ()

    __test__ = False  # no tests of pytest's, whatever it makes of the name

    def as_json(self) -> dict[str, Any]:
        """Return it as part of the document that ``--json`` prints."""
        return {
            "total": self.total,
            "failed": len(self.failures),
            "skipped": self.skipped,
            "failures": [failure.as_json() for failure in self.failures],
        }

    @property
    def in_words(self) -> str:
        """How many there were, and how many of them were not as they should be."""
        parts = [f"{self.total} test{'' if self.total == 1 else 's'}"]
        parts += [f"{len(self.failures)} failed"] if self.failures else []
        parts += [f"{self.skipped} skipped"] if self.skipped else []
        return ", ".join(parts)


def stamps(directory: Path, globs: Sequence[str]) -> dict[Path, Stamp]:
    """Return the reports that are there, each with what changes when it is written again."""
    found: dict[Path, Stamp] = {}
    for glob in globs:
        for path in sorted(directory.glob(glob))[:_MAX_FILES]:
            if path.is_file():
                stat = path.stat()
                found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def read(root: Path, directory: Path, globs: Sequence[str], before: Mapping[Path, Stamp]) -> Tests:
    """Read the reports that were written since ``before``: those of an earlier run say nothing of this one."""
    written = [path for path, stamp in stamps(directory, globs).items() if before.get(path) != stamp]
    total = skipped = 0
    failures: list[Failure] = []
    problems: list[str] = []
    for path in written:
        try:
            tests = parse(path, root)
        except (OSError, ValueError) as error:
            problems.append(f"the report {path.name} cannot be read: {str(error)[:200] or type(error).__name__}")
            continue
        total, skipped = total + tests.total, skipped + tests.skipped
        failures += tests.failures
    if not written:
        problems.append(f"no report was written: junit is {', '.join(globs)}, in {directory}")
    return Tests(total, skipped, tuple(failures), tuple(problems))


def parse(path: Path, root: Path) -> Tests:
    """Read one report. Raises ``ValueError`` for what is no JUnit, or has in it what no report needs."""
    from defusedxml import ElementTree
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
    from junitparser.junitparser import JUnitXmlError

    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    try:
        report = JUnitXml.fromfile(str(path), parse_func=lambda file: ElementTree.parse(file, forbid_dtd=True))
    except (ParseError, JUnitXmlError) as error:
        raise ValueError(str(error)) from None
    total = skipped = 0
    failures: list[Any] = []
    element: Element = report._elem
    for one in element.iter("testcase"):  # whatever suites are in suites
        case = TestCase.fromelem(one)  # type: ignore[no-untyped-call]
        total += 1
        results = list(case.result)
        skipped += any(isinstance(result, Skipped) for result in results)
        bad = [result for result in results if isinstance(result, Failure | Error)]
        if bad:
            failures.append(_failure(one.attrib, bad[0], root))
    return Tests(total, skipped, tuple(failures))


def findings(failures: Iterable[Failure], stage: str, within: PurePosixPath) -> list[Finding]:
    """Return the failures that are known to be of a file, its path below ``within``, as what stands beside its line."""
    return [
        Finding(str(within / one.path), one.line, 1, f"{stage}: {one.test}"[:200], Severity.ERROR, one.message)
        for one in failures
        if one.path
    ]


def _failure(attributes: Mapping[str, str], result: Any, root: Path) -> Failure:
    name, classname = attributes.get("name", ""), attributes.get("classname", "")
    text = str(result.text or "")
    message = str(result.message or "").strip() or text.strip() or "failed"
    path = _path(attributes, root)
    return Failure(
        test=f"{classname}::{name}" if classname and classname != name else name or "a test without a name",
        message=message[:_MAX_TEXT],
        text=text[-_MAX_TEXT:],
        path=path,
        line=_line(path, text),
    )


def _path(attributes: Mapping[str, str], root: Path) -> str:
    """Return the file that a test is in: as the report says, or as Python and JavaScript name their classes."""
    # A name that is longer is no path, and each of its parts would be tried.
    given = (attributes.get("file", ""), attributes.get("classname", ""))
    named, classname = (text if len(text) <= _MAX_PATH else "" for text in given)
    dotted = classname.split(".")
    modules = ["/".join(dotted[:length]) + ".py" for length in range(len(dotted), 0, -1)]
    for candidate in (named, classname, *modules):
        if not candidate or "\0" in candidate:
            continue
        try:
            resolved = (root / candidate).resolve()
            if resolved.is_file():
                return resolved.relative_to(root.resolve()).as_posix()
        except (OSError, ValueError):
            continue
    return ""


def _line(path: str, text: str) -> int:
    """Return the last line of the test's own file that the failure names: the innermost of a traceback."""
    if not path:
        return 0
    found = re.findall(_PLACE.format(name=re.escape(PurePosixPath(path).name)), text, flags=re.MULTILINE)
    return int(found[-1]) if found else 0
