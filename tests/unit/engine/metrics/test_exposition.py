"""What is written is what Prometheus' own client reads."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fairway.engine.metrics.exposition import Family, Kind, Sample, gauge, number, render
from fairway.engine.metrics.haproxy import together


@given(label=st.text(), about=st.text(alphabet=st.characters(exclude_categories=["Cc", "Zl", "Zp", "Zs", "Cs"])))
def test_whatever_a_label_or_a_help_text_holds_is_read_back(label: str, about: str) -> None:
    # The client's parser splits lines where Python does; Prometheus itself at line feeds only.
    label = "".join(label.replace("\r", "\n").split()) + '\\"\n'
    text = render([gauge("x", f"a {about}\\n b", Sample(1, {"what": label}))], {"project": "p"})
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"project": "p", "what": label}
    assert family.documentation == f"a {about}\\n b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (True, "1"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value: float, text: str) -> None:
    assert number(value) == text


def test_a_metric_without_values_is_not_announced() -> None:
    assert render([Family("x", Kind.COUNTER, "X.", ())], {}) == ""


HAPROXY = """\
# HELP haproxy_server_http_responses_total Total number of HTTP responses
# TYPE haproxy_server_http_responses_total counter
haproxy_server_http_responses_total{proxy="app",server="blue",code="2xx"} %s
haproxy_server_http_responses_total{proxy="probe-blue",server="blue",code="2xx"} 99
haproxy_server_status{proxy="app",server="a\\"b",state="UP"} nonsense
not a line of it
"""


def test_the_processes_of_an_edge_do_not_meet_and_its_probes_are_left_out() -> None:
    text = render(together([(0, HAPROXY % 7), (2, HAPROXY % 1)]), {"environment": "staging"})
    (family,) = text_string_to_metric_families(text)
    assert family.type == "counter"
    assert [(sample.labels["process"], sample.value) for sample in family.samples] == [("0", 7.0), ("2", 1.0)]
    assert {sample.labels["environment"] for sample in family.samples} == {"staging"}
