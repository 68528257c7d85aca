"""``fairway edge``: the HAProxy in front of the slots."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="The HAProxy that visitors meet: replace it while it serves.")


@app.command("upgrade", epilog="Example: fairway edge upgrade production --image haproxy:3.2")
def upgrade(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    image: Annotated[
        str | None, typer.Option(help="The image; without it, edge_image of the environment in fairway.toml.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Replace the running edge by another image, without losing a request.

    The new HAProxy is tried where no visitor comes, then takes the listening socket
    over; the old one finishes what it serves. With the image that runs already, the
    edge reads its configuration anew where this version of Fairway writes another.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.output import print_json
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    target = load().environment(environment)
    wanted = image or target.edge_image
    with open_engine(target) as engine, Progress() as progress:
        result = engine.call(Operation.EDGE_UPGRADE, progress.event, image=wanted, plan=plan, by=whoami())
    if as_json:
        print_json(result)
    elif plan:
        _show_plan(environment, result)
    else:
        _show(environment, result, differs=wanted != target.edge_image)


def _show_plan(environment: str, result: dict[str, Any]) -> None:
    from fairway.cli.output import stdout

    console = stdout()
    if result["unchanged"]:
        console.print(f"{environment}: {_named(result['from'])} runs already, with this configuration", markup=False)
    else:
        console.print(f"{environment}: {_named(result['from'])} -> {_named(result['to'])}", markup=False)
    for step in result["steps"]:
        console.print(f"  {step['name']:<10} {step['plan']}", markup=False)


def _show(environment: str, result: dict[str, Any], *, differs: bool) -> None:
    from rich.text import Text

    from fairway.cli.output import stdout
    from fairway.engine.contract.protocol import Outcome

    console = stdout()
    if result["outcome"] == Outcome.UNCHANGED.value:
        console.print(Text(f"{_named(result['to'])} is already the edge of {environment}; nothing was changed"))
    else:
        what = f"{_named(result['to'])} in place of {_named(result['from'])}"
        console.print(Text.assemble(("edge: ", "bold green"), f"{what} after {result['seconds']:.1f} s"))
    if differs:
        line = (
            f'fairway.toml names another: set edge_image = "{result["to"]["image"]}" under environments.{environment}'
        )
        console.print(Text.assemble(("note: ", "bold yellow"), line))


def _named(running: dict[str, Any]) -> str:
    version = running.get("version")
    return f"{running['image']} (HAProxy {version})" if version else str(running["image"])
