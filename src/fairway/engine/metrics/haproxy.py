"""HAProxy's own metrics, of all of the edge's processes, as those of this host.

Source: HAProxy, "PROMEX: A Prometheus exporter for HAProxy".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fairway.engine.metrics.exposition import Family, Kind, Sample

#: What visitors meet; the probes are the engine's own.
_PROXIES = ("traffic", "app")
_COMMENT = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)")
_SAMPLE = re.compile(r"(haproxy_[a-zA-Z0-9_]*)\{(.*)\} (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def together(said: Iterable[tuple[int, str]]) -> Iterator[Family]:
    """Yield what the processes say, each value with the number of its process, so that none meets another."""
    about: dict[tuple[str, str], str] = {}
    samples: dict[str, list[Sample]] = {}
    for number, text in said:
        for line in text.splitlines():
            if comment := _COMMENT.fullmatch(line):
                about[comment[2], comment[1]] = comment[3]
            elif (match := _SAMPLE.fullmatch(line)) and (sample := _sample(match, number)):
                samples.setdefault(match[1], []).append(sample)
    for name, found in samples.items():
        kind = Kind.COUNTER if about.get((name, "TYPE")) == Kind.COUNTER.value else Kind.GAUGE
        yield Family(name, kind, _plain(about.get((name, "HELP"), name)), tuple(found))


def _sample(match: re.Match[str], number: int) -> Sample | None:
    labels = {key: _plain(text) for key, text in _LABEL.findall(match[2])}
    try:
        value = float(match[3])
    except ValueError:
        return None
    return Sample(value, {**labels, "process": str(number)}) if labels.get("proxy") in _PROXIES else None


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)
