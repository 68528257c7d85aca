"""A deployment as a trace: what the real exporter sends, decoded as a collector does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fairway.announce import Ending
from fairway.announce.model import read_ending
from fairway.announce.traces import Traces, from_environ
from fairway.config import Config
from fairway.engine.contract.errors import Failed, Invalid, Unreachable
from testbed.announced import Collector, Received, attributes, serve
from tests.unit.announce.records import COMMIT, accepted, deployment, ended, step

CONFIG = Config.model_validate(
    {"project": "capakraken", "images": {"app": "r.example/acme/app", "migrator": "r.example/acme/migrator"}}
)
ERROR = {"what": "the release was not ready", "why": "503: no database", "hint": "", "exit_code": 1}
#: 12:00 of the day that the records are of.
NOON = 1_769_860_800_000_000_000
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PROGRESS = {"at": "2026-01-31T12:00:03.500Z", "kind": "progress", "step": "ready", "message": "answered 503"}
WELL = [accepted(), *step("verify", 1, 0.25), *step("switch", 2, 1)]
BADLY = [
    accepted(),
    *step("verify", 1, 1),
    step("ready", 3, 2)[0],
    PROGRESS,
    step("ready", 3, 2, "failed", "not ready")[1],
    {"at": "2026-01-31T12:00:06.000Z", "kind": "step", "step": "start", "mark": "undone", "message": "stopped green"},
    {"at": "2026-01-31T12:00:07.000Z", "kind": "step", "step": "pull", "mark": "failed", "message": "undo: no disk"},
]


@pytest.fixture
def collector() -> Collector:
    return Collector()


@pytest.fixture
def service(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with serve(collector.answer) as received:
        # The exporter reads the process's own environment.
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        yield received


def _traces(service: Received, **environ: str) -> Traces:
    made = from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": service.url, **environ}, CONFIG)
    assert made is not None
    return made


def _send(traces: Traces, result: Any, entries: list[dict[str, Any]]) -> Ending:
    ending = read_ending(result, tuple(entries))
    traces.begun(deployment())
    traces.ended(deployment(), ending)
    return ending


def test_a_deployment_is_a_trace_with_the_hosts_own_times(collector: Collector, service: Received) -> None:
    _send(_traces(service), ended(), WELL)
    root, verify, switch = (collector.spans[name] for name in ("promote production", "verify", "switch"))
    assert len(collector.spans) == 3
    assert {root.trace_id} == {verify.trace_id, switch.trace_id}
    assert (root.parent_span_id, verify.parent_span_id) == (b"", root.span_id)
    assert [span.start_time_unix_nano - NOON for span in (root, verify, switch)] == [0, 1_000_000_000, 2_000_000_000]
    assert [span.end_time_unix_nano - NOON for span in (root, verify)] == [9_000_000_000, 1_250_000_000]
    told = attributes(root)
    assert told["deployment.environment.name"] == "production"
    assert told["deployment.status"] == "succeeded"
    assert told["deployment.id"] == "20260131-120000-000000"
    assert told["vcs.ref.head.revision"] == COMMIT
    assert told["cicd.pipeline.result"] == "success"
    assert attributes(switch)["cicd.pipeline.task.name"] == "switch"
    assert attributes(switch)["cicd.pipeline.task.run.result"] == "success"
    assert collector.resource["service.name"] == "fairway"


def test_the_step_that_failed_has_the_reason(collector: Collector, service: Received) -> None:
    _send(_traces(service), ended("failed", error=ERROR, failed_in="ready"), BADLY)
    root, verify, ready = (collector.spans[name] for name in ("promote production", "verify", "ready"))
    for span in (root, ready):
        assert (span.status.code, span.status.message) == (2, "the release was not ready: 503: no database")
        assert attributes(span)["error.type"] == "Failed"
    assert verify.status.code == 0
    assert attributes(ready)["cicd.pipeline.task.run.result"] == "failure"
    assert [attributes(event)["fairway.message"] for event in ready.events] == ["answered 503"]
    assert [(event.name, *attributes(event).values()) for event in root.events] == [
        ("undone", "start", "stopped green"),
        ("not undone", "pull", "no disk"),
    ]


def test_one_that_was_cancelled_is_no_error(collector: Collector, service: Received) -> None:
    _send(_traces(service), ended("cancelled", error={**ERROR, "exit_code": 130}), BADLY)
    assert {span.status.code for span in collector.spans.values()} == {0}
    assert attributes(collector.spans["ready"])["cicd.pipeline.task.run.result"] == "cancellation"


def test_what_was_heard_of_one_that_was_lost_sight_of_is_sent(collector: Collector, service: Received) -> None:
    _send(_traces(service), Unreachable("production cannot be reached"), BADLY[:5])
    root, ready = collector.spans["promote production"], collector.spans["ready"]
    assert root.end_time_unix_nano == ready.end_time_unix_nano == NOON + 3_500_000_000
    assert (root.status.code, attributes(root)["cicd.pipeline.result"]) == (2, "error")
    assert attributes(ready)["cicd.pipeline.task.run.result"] == "error"


def test_a_step_that_a_lost_engine_left_is_there_twice(collector: Collector, service: Received) -> None:
    entries = [accepted(), step("switch", 1, 1)[0], *step("switch", 5, 1), *step("drain", 6, 1)]
    ending = _send(_traces(service), ended(), entries)
    assert len(ending.entries) == 6
    assert set(collector.spans) == {"promote production", "switch", "drain"}


def test_it_is_a_part_of_the_pipelines_own_trace(collector: Collector, service: Received) -> None:
    environ = {
        "TRACEPARENT": PARENT,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "acme/capakraken",
        "GITHUB_RUN_ID": "77",
    }
    _send(_traces(service, **environ), ended(), WELL)
    root = collector.spans["promote production"]
    assert root.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert root.parent_span_id.hex() == "b7ad6b7169203331"
    told = attributes(root)
    assert told["vcs.repository.url.full"] == "https://github.example/acme/capakraken"
    assert told["cicd.pipeline.run.url.full"] == "https://github.example/acme/capakraken/actions/runs/77"


def test_of_a_trace_that_is_not_sampled_nothing_is_sent(collector: Collector, service: Received) -> None:
    _send(_traces(service, TRACEPARENT=PARENT[:-1] + "0"), ended(), WELL)
    assert service.requests == []


def test_the_libraries_own_variables_hold(
    collector: Collector, service: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"OTEL_SERVICE_NAME": "deployments", "OTEL_EXPORTER_OTLP_HEADERS": "x-team=acme"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    _send(_traces(service, **given), ended(), WELL)
    assert collector.resource["service.name"] == "deployments"
    assert collector.headers["x-team"] == "acme"


def test_a_collector_that_refuses_is_said_in_words(
    collector: Collector, service: Received, capfd: pytest.CaptureFixture[str]
) -> None:
    collector.status = 401
    with pytest.raises(Failed) as met:
        _send(_traces(service), ended(), WELL)
    assert met.value.what == "the trace did not arrive"
    assert "401" in met.value.why
    assert capfd.readouterr() == ("", "")


def test_what_opens_the_collector_is_not_to_be_seen() -> None:
    made = from_environ(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:hunter2@otel.example/?key=abc",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20c2VjcmV0,x-key=k1",
        },
        CONFIG,
    )
    assert made is not None
    assert set(made.secrets) == {"hunter2", "key=abc", "Basic c2VjcmV0", "c2VjcmV0", "k1"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_an_endpoint_there_are_no_traces(environ: dict[str, str]) -> None:
    assert from_environ(environ, CONFIG) is None


def test_a_protocol_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(Invalid, match="only http/protobuf is spoken"):
        from_environ(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, CONFIG
        )


@pytest.mark.parametrize("endpoint", ["http://[::1:4318", "http://user:hunter2@[::1"])
def test_an_address_that_is_none_is_refused_without_being_shown(endpoint: str) -> None:
    with pytest.raises(Invalid) as caught:
        from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, CONFIG)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is not an address" in str(caught.value)
    assert "hunter2" not in str(caught.value)


_WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from testbed.announced import Collector, Received, attributes, serve
from tests.unit.announce.records import deployment
from fairway.announce.traces import Traces
from fairway.engine.contract.errors import Failed
try:
    Traces({}, ()).begun(deployment())
except Failed as error:
    print(error.why)
"""


def test_without_the_library_it_is_said_how_to_install_it() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout == "pip install 'fairway[traces]'\n"


def test_nothing_heavy_is_imported_where_nobody_is_told() -> None:
    program = "import sys, fairway.announce; print([m for m in ('httpx', 'opentelemetry') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
