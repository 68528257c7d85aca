"""OpenTelemetry: a deployment as a trace, with a span for each step, sent by OTLP over HTTP.

The variables are OpenTelemetry's own:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/. The attributes are those of its
semantic conventions, as far as there are any.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from fairway import __version__
from fairway.announce.model import TIMEOUT_S, Deployment, Ending
from fairway.announce.steps import Step, read_steps, undone
from fairway.config import Config
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.protocol import Outcome

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"
_MOST_CHARACTERS = 2000
_INSTALL = "pip install 'fairway[traces]'"
# What the convention calls how a pipeline's run, or a task of it, ended.
_RESULTS = {
    Outcome.SUCCEEDED: "success",
    Outcome.UNCHANGED: "skip",
    Outcome.FAILED: "failure",
    Outcome.CANCELLED: "cancellation",
    Outcome.UNKNOWN: "error",
}


def from_environ(environ: Mapping[str, str], config: Config) -> Traces | None:
    """Return who sends traces, when an endpoint is set. Raises ``Invalid`` for one that cannot be."""
    endpoint = next((environ[name] for name in _ENDPOINTS if environ.get(name)), None)
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    if endpoint is None or off:
        return None
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        raise Invalid(f"only {_SPOKEN} is spoken", hint=f"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL={_SPOKEN}")
    try:
        return Traces(environ, _secrets(endpoint, environ))
    except ValueError:
        name = next(name for name in _ENDPOINTS if environ.get(name))
        raise Invalid(f"{name} is not an address") from None


def _secrets(endpoint: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    found = [urlsplit(endpoint).password or "", urlsplit(endpoint).query]
    for name in _HEADERS:
        values = [unquote(pair.partition("=")[2]).strip() for pair in environ.get(name, "").split(",")]
        found += [part for value in values for part in (value, value.rpartition(" ")[2])]
    return tuple(sorted({one for one in found if one}, key=len, reverse=True))


class Traces:
    """Sends a deployment's trace once it has ended, in one request."""

    name = "traces"

    def __init__(self, environ: Mapping[str, str], secrets: tuple[str, ...]) -> None:
        self.secrets = secrets
        self._environ = environ

    def begun(self, deployment: Deployment) -> None:
        """Import what takes a while, beside the deployment. Raises ``Failed`` when it is not installed."""
        try:
            import opentelemetry.exporter.otlp.proto.http.trace_exporter
            import opentelemetry.sdk.trace.export.in_memory_span_exporter  # noqa: F401
        except ImportError:
            raise Failed("OpenTelemetry is not installed", why=_INSTALL) from None

    def ended(self, deployment: Deployment, ending: Ending) -> None:
        """Make the trace of the journal and send it. Raises ``Failed`` when it does not arrive."""
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        except ImportError:
            return  # that has been told
        with _overheard() as said:
            kept = InMemorySpanExporter()
            provider = TracerProvider(resource=self._resource(), shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(kept))
            self._record(provider.get_tracer("fairway", __version__), deployment, ending)
            spans = kept.get_finished_spans()
            if not spans:
                return  # the pipeline's own trace is not sampled, so neither is this
            exporter = OTLPSpanExporter(timeout=TIMEOUT_S)
            try:
                arrived = exporter.export(spans) is SpanExportResult.SUCCESS
            finally:
                exporter.shutdown()  # type: ignore[no-untyped-call]
        if not arrived:
            raise Failed("the trace did not arrive", why=said[-1] if said else "")

    def _resource(self) -> Resource:
        from opentelemetry.sdk.resources import Resource

        own = {"service.version": __version__}
        named = self._environ.get("OTEL_SERVICE_NAME") or "service.name=" in self._environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        return Resource.create(own if named else {"service.name": "fairway", **own})

    def _record(self, tracer: Tracer, deployment: Deployment, ending: Ending) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {
            key: self._environ[key.upper()] for key in ("traceparent", "tracestate") if key.upper() in self._environ
        }
        root = tracer.start_span(
            f"{deployment.kind.value} {deployment.environment}",
            TraceContextTextMapPropagator().extract(carrier),
            attributes={**_of_deployment(deployment, self._environ), **_of_ending(ending)},
            start_time=_ns(deployment.begun_at),
        )
        inside = trace.set_span_in_context(root)
        for step in read_steps(ending):
            span = tracer.start_span(
                step.name, inside, attributes=_of_step(step, deployment, ending), start_time=_ns(step.begun_at)
            )
            for moment, message in step.progress:
                span.add_event("progress", {"fairway.message": message}, _ns(moment))
            if step.failed:
                _fail(span, ending, step.message)
            span.end(_ns(step.ended_at))
        for moment, what, name, message in undone(ending):
            root.add_event(what, {"cicd.pipeline.task.name": name, "fairway.message": message}, _ns(moment))
        if ending.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            _fail(root, ending, "")
        root.end(max(_ns(ending.ended_at), _ns(deployment.begun_at)))


def _of_deployment(deployment: Deployment, environ: Mapping[str, str]) -> dict[str, Any]:
    facts = {
        "deployment.id": deployment.id,
        "deployment.name": deployment.words,
        "deployment.environment.name": deployment.environment,
        "cicd.pipeline.name": f"fairway {deployment.kind.value}",
        "cicd.pipeline.run.id": deployment.id,
        "vcs.ref.head.revision": deployment.commit,
        "fairway.project": deployment.project,
        "fairway.kind": deployment.kind.value,
        "fairway.tag": deployment.tag,
        "fairway.release": deployment.release,
        "fairway.by": deployment.by,
    }
    if deployment.url:
        facts["fairway.url"] = deployment.url
    server, repository, run = (environ.get(f"GITHUB_{key}", "") for key in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if server and repository:
        facts["vcs.repository.url.full"] = f"{server}/{repository}"
        if run:
            facts["cicd.pipeline.run.url.full"] = f"{server}/{repository}/actions/runs/{run}"
    elif environ.get("CI_PROJECT_URL"):
        facts["vcs.repository.url.full"] = environ["CI_PROJECT_URL"]
        if environ.get("CI_JOB_URL"):
            facts["cicd.pipeline.run.url.full"] = environ["CI_JOB_URL"]
    return facts


def _of_ending(ending: Ending) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "cicd.pipeline.result": _RESULTS[ending.outcome],
        "fairway.outcome": ending.outcome.value,
    }
    if ending.outcome in (Outcome.SUCCEEDED, Outcome.FAILED):
        facts["deployment.status"] = ending.outcome.value
    return facts


def _of_step(step: Step, deployment: Deployment, ending: Ending) -> dict[str, Any]:
    result = "success"
    if step.failed:
        result = "cancellation" if ending.outcome is Outcome.CANCELLED else "failure"
    elif not step.whole:
        result = "error"
    facts = {
        "cicd.pipeline.task.name": step.name,
        "cicd.pipeline.task.run.id": f"{deployment.id}/{step.name}",
        "cicd.pipeline.task.run.result": result,
        "cicd.pipeline.task.type": "deploy",
        "deployment.environment.name": deployment.environment,
    }
    if step.message and not step.failed:
        facts["fairway.message"] = step.message
    return facts


def _fail(span: Span, ending: Ending, message: str) -> None:
    """Mark a span as failed; the reason comes from how it ended, which the engine has cleaned of secrets."""
    from opentelemetry.trace import Status, StatusCode

    if ending.outcome is Outcome.CANCELLED:
        return
    error = ending.error
    said = f"{error.what}{f': {error.why}' if error.why else ''}" if error else message
    span.set_status(Status(StatusCode.ERROR, said[:_MOST_CHARACTERS]))
    span.set_attribute("error.type", type(error).__name__ if error else "_OTHER")


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Keep what the library says of its failures, instead of having it on the screen."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, listener = logging.getLogger("opentelemetry"), Listener(logging.WARNING)
    propagated = logger.propagate
    logger.addHandler(listener)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagated
