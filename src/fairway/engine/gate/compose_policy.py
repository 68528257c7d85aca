"""The bundle is code: what a release's compose file asks of this host beyond a plain application.

Pure functions over the model that ``docker compose config --format json`` prints, and
over the file's text for what the model no longer shows. Everything is refused unless the
host's policy allows that very thing by name; what is not known is refused as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from fairway.engine.contract.errors import Refused
from fairway.engine.contract.manifest import Release
from fairway.engine.gate.asker import Asker
from fairway.engine.gate.compose_mounts import written_by
from fairway.engine.gate.compose_sections import file_findings, network_findings, volume_findings
from fairway.engine.gate.compose_service import service_findings
from fairway.engine.gate.compose_text import text_findings
from fairway.engine.gate.paths import Ground
from fairway.engine.gate.rules import Finding, found, is_plain
from fairway.engine.gate.shapes import mapped, unknown
from fairway.engine.model import Model

_SECTIONS = ("name", "version", "services", "volumes", "networks", "secrets", "configs", "models")
_SHOWN = 40


def model_findings(model: Model, release: Release, ground: Ground) -> tuple[Finding, ...]:
    """Return what a rendered model asks of the host, each once, in the order of the model.

    Raises ``Invalid`` for a model that does not have the shape of one.
    """
    ground = replace(ground, written=(*ground.written, *written_by(model)))
    return tuple(dict.fromkeys(_of_model(model, release, ground)))


def _of_model(model: Model, release: Release, ground: Ground) -> Iterator[Finding]:
    for name, value in mapped(model.get("services"), "services").items():
        yield from _unless_plain("service", name)
        yield from service_findings(Asker(name, mapped(value, f"services.{name}"), release, ground))
    for name, value in mapped(model.get("volumes"), "volumes").items():
        yield from _unless_plain("volume", name)
        yield from volume_findings(name, value, release, ground)
    for name, value in mapped(model.get("networks"), "networks").items():
        yield from _unless_plain("network", name)
        yield from network_findings(name, value, ground)
    for kind in ("secret", "config"):
        for name, value in mapped(model.get(f"{kind}s"), f"{kind}s").items():
            yield from _unless_plain(kind, name)
            yield from file_findings(kind, name, value, release, ground)
    for name in mapped(model.get("models"), "models"):
        yield found("models", name, says=f"the model {name!r} would be fetched and run by the host")
    for section in unknown(model, _SECTIONS):
        says = f"the file has {section!r}, which this version of Fairway does not know"
        yield found("unknown-section", section, says=says)


def _unless_plain(kind: str, name: str) -> Iterator[Finding]:
    if not is_plain(name):
        yield found("plain-name", name, says=f"the {kind} {name[:100]!r} has a name that no policy can write")


def refuse_unallowed(findings: Iterable[Finding], allow: Collection[str], *, file: str, environment: str) -> None:
    """Raise ``Refused`` with every finding that the policy does not allow by its exact name."""
    left = [finding for finding in findings if not finding.name or finding.name not in allow]
    if not left:
        return
    shown = [str(finding) for finding in left[:_SHOWN]]
    more = [f"and {len(left) - _SHOWN} more"] if len(left) > _SHOWN else []
    raise Refused(
        f"{file} asks for more of this host than its policy allows",
        why="\n".join([*shown, *more]),
        hint=f"take it out of {file}; or, where it is meant, an administrator adds the name before the colon and space"
        f" to [environments.{environment}.policy] allow in fairway.toml and runs: fairway bootstrap {environment}",
    )


__all__ = ["Finding", "Ground", "model_findings", "refuse_unallowed", "text_findings"]
