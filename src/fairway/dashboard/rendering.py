"""Views to HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from fairway.dashboard.views.release import diff_lines
from fairway.evidence.review import plain
from fairway.observe.durations import duration

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
#: The pages of the navigation, by their paths.
NAVIGATION = {
    "/": "Environments",
    "/releases": "Releases",
    "/approvals": "Approvals",
    "/history": "History",
    "/backups": "Backups",
}
# An environment's own pages.
_OF_ENVIRONMENTS = ("environments", "deployments", "actions", "runs")


def page(request: Request, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """Return a page, or a part of one, of ``templates/<template>``."""
    text = (
        _environment()
        .get_template(template)
        .render(
            navigation=NAVIGATION,
            section=_section(request.scope["path"]),
            person=getattr(request.state, "person", None),
            csrf=getattr(request.state, "csrf", ""),
            leaves=getattr(request.state, "leaves", False),
            project=request.app.state.desk.config.project,
            now=datetime.now(UTC),
            **values,
        )
    )
    return HTMLResponse(text, status_code)


def _section(path: str) -> str:
    first = path.split("/")[1]
    return "/" if first in _OF_ENVIRONMENTS else f"/{first}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What a browser would hide, or turn round, is spelled out: nearly all of it comes from others.
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    environment.filters |= {
        "ago": ago,
        "clock": clock,
        "diff_lines": diff_lines,
        "duration": duration,
        "short": short,
        "size": size,
    }
    return environment


def ago(moment: datetime | None, now: datetime) -> str:
    """Say how long ago something was."""
    return f"{duration(max(0.0, (now - moment).total_seconds()))} ago" if moment else "never"


def clock(moment: datetime | None) -> str:
    """Return a moment to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def short(tag: str | None) -> str:
    """Return a tag as short as people write it."""
    return str(tag)[:11] if tag else ""


def size(size_bytes: int) -> str:
    """Return a size in the unit that says enough."""
    value, units = float(size_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" or value >= 100 else f"{value:.1f} {units[0]}"
