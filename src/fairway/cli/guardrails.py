"""``fairway guardrails``: rules that hold for the code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.guardrails.choices import Form, Template, usual_form

if TYPE_CHECKING:
    from fairway.config import Config
    from fairway.guardrails.rules import Ruleset
    from fairway.guardrails.samples import Verdict

app = typer.Typer(no_args_is_help=True, help="Rules that hold for the code: check it, explain them, try them, add one.")


@app.command("check", epilog="Example: fairway guardrails check --format github")
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or directories; without them, everything.")] = None,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="How findings are said; by default as text, in GitHub as annotations."),
    ] = None,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Write what is found into the baseline; it is known from then on.")
    ] = False,
) -> None:
    """Hold the code that Git tracks against the rules.

    Exits with 3 when there is an error or a warning that neither the baseline knows nor a
    comment in the code explains (fairway-ignore <rule>: <reason>).
    """
    from fairway.engine.contract.errors import Invalid
    from fairway.guardrails import baseline, files
    from fairway.guardrails.checking import check as run
    from fairway.guardrails.report import counted, render

    if write_baseline and paths:
        raise Invalid("a baseline is of everything", hint="leave out the paths, or --write-baseline")
    config, ruleset = _load()
    table = config.guardrails
    tracked = files.tracked(config.root, table.include, table.exclude)
    file = config.root / table.baseline
    report = run(config, ruleset, tracked, paths or [], () if write_baseline else baseline.read(file))
    if write_baseline:
        entries = baseline.entries_of(report.found)
        baseline.write(file, entries)
        typer.echo(f"{table.baseline} knows {counted(sum(one.count for one in entries), 'finding')} from now on")
        return
    typer.echo(render(report, form or usual_form(os.environ)))
    if report.refused:
        raise typer.Exit(3)


@app.command("explain", epilog="Example: fairway guardrails explain sse-route-client-audience")
def explain(rule: Annotated[str | None, typer.Argument(help="The rule; without it, all are listed.")] = None) -> None:
    """Say why a rule is there, what it catches, and how to write it instead."""
    from fairway.cli.output import print_table, stdout
    from fairway.guardrails.explaining import explanation

    _, ruleset = _load()
    if rule is None:
        rows = [(one.id, one.severity.value, one.language, one.message) for one in ruleset.rules]
        print_table(("RULE", "SEVERITY", "LANGUAGE", "WHAT IT SAYS"), rows)
        return
    stdout().print(explanation(ruleset.rule(rule)), markup=False)


@app.command("test", epilog="Example: fairway guardrails test")
def try_samples(rules: Annotated[list[str] | None, typer.Argument(help="Rules; without them, all.")] = None) -> None:
    """Try each rule on its samples: code it must catch, and code it must let pass.

    Exits with 1 when a rule misses one, fires on one, or has none.
    """
    from fairway.guardrails.samples import try_rules

    _, ruleset = _load()
    verdicts = try_rules(ruleset, rules or ())
    for verdict in verdicts:
        _show(verdict)
    if not all(verdict.ok for verdict in verdicts):
        raise typer.Exit(1)


@app.command("new", epilog="Example: fairway guardrails new no-console-log --language ts")
def new(
    rule: Annotated[str, typer.Argument(help="The id of the new rule.")],
    language: Annotated[Template, typer.Option(help="The language to begin in.")],
) -> None:
    """Begin a rule: a file for it and one for its samples, ready to be edited."""
    from fairway.config import load
    from fairway.guardrails.starting import write_rule

    config = load()
    made = write_rule(config.root, config.guardrails.path, rule, language)
    typer.echo(f"wrote {' and '.join(made)}\nnext: edit them, then fairway guardrails test {rule}")


def _load() -> tuple[Config, Ruleset]:
    from fairway.config import load
    from fairway.engine.contract.errors import Invalid
    from fairway.guardrails import rules

    config = load()
    table = config.guardrails
    ruleset = rules.load(config.root, table.path, table.presets, rules.places(config))
    if not ruleset.rules:
        raise Invalid(
            "there are no guardrails yet",
            why=f"there is no rule in {table.path}, and fairway.toml names no presets",
            hint='begin with: fairway guardrails new <id> --language ts, or presets = ["sse-typescript"]',
        )
    return config, ruleset


def _show(verdict: Verdict) -> None:
    from rich.text import Text

    from fairway.cli.output import stdout

    samples = verdict.rule.samples
    console = stdout()
    sign = ("✓", "green") if verdict.ok else ("✗", "red")
    counts = f"catches {len(samples.invalid) - len(verdict.missed)} of {len(samples.invalid)}, "
    counts += f"lets {len(samples.valid) - len(verdict.wrongly)} of {len(samples.valid)} pass"
    console.print(Text.assemble(sign, f" {verdict.rule.id}: {counts}"))
    if verdict.lacking:
        console.print(Text(f"  has no {verdict.lacking} samples: add them in tests/ beside {verdict.rule.origin}"))
    for what, codes in (
        ("misses", verdict.missed),
        ("fires on", verdict.wrongly),
        ("cannot parse", verdict.unparsed),
    ):
        for code in codes:
            console.print(Text(f"  {what}:\n" + "\n".join(f"    {line}" for line in code.rstrip().splitlines())))
