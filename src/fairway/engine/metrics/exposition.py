"""Prometheus' text format, as text.

Source: Prometheus, "Exposition formats", text-based format 0.0.4.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: What a listener would announce it as; node_exporter reads the same from a file.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Kind(enum.Enum):
    """What a metric's values mean to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Sample:
    """One value; ``suffix`` is what a histogram's parts add to the metric's name."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """A metric with all of its values."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


def gauge(name: str, help_text: str, *samples: Sample) -> Family:
    """Return a metric that goes up and down."""
    return Family(name, Kind.GAUGE, help_text, samples)


def render(families: Iterable[Family], labels: Mapping[str, str]) -> str:
    """Return the whole exposition; ``labels`` go before each value's own. A metric without values is left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {_escape(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind.value}")
        for sample in family.samples:
            named = ",".join(f'{key}="{_quoted(text)}"' for key, text in {**labels, **sample.labels}.items())
            braces = f"{{{named}}}" if named else ""
            lines.append(f"{family.name}{sample.suffix}{braces} {number(sample.value)}")
    return "".join(f"{line}\n" for line in lines)


def number(value: float) -> str:
    """Return a value as Prometheus reads it: whole ones without a point, infinity with its sign."""
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value != value:
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escape(text).replace('"', '\\"')
