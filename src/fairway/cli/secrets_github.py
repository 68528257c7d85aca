"""``fairway secrets github``: the secrets that a pipeline needs, and setting them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.secrets.github import EnvironmentSecret


def github(
    environment: Annotated[str | None, typer.Argument(help="One environment; without it, all.")] = None,
    set_them: Annotated[bool, typer.Option("--set", help="Set them, by GitHub's gh command.")] = False,
    key: Annotated[
        Path | None, typer.Option("--key", help="The file of the pipeline's private key, with --set.", metavar="FILE")
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option("--repo", help="The repository on GitHub; else that of the working copy.", metavar="OWNER/NAME"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say which secrets each GitHub Environment needs, what each is, and who gives its value.

    With --set they are set: from the key's file, a variable of the secret's own name, fairway.toml,
    or what you type. A value goes to gh on its standard input, never in an argument. One that
    is optional and not given is left as it is. Exits with 1 when gh is missing, not logged in, or fails.
    """
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.errors import Invalid
    from fairway.secrets.github import secrets_of

    config = load()
    if not set_them and (key or repository):
        raise Invalid("--key and --repo are for --set", hint="add --set to set the secrets")
    names = [environment] if environment else list(config.environment_order)
    secrets = [one for name in names for one in secrets_of(config, name)]
    done: list[str] = []
    if set_them:
        if environment is None:
            raise Invalid("name the environment whose secrets are to be set", why=f"there are {', '.join(names)}")
        done = _set(config.root, secrets, key, repository, as_json=as_json)
    if as_json:
        shown: dict[str, Any] = {name: [] for name in names}
        for one in secrets:
            shown[one.environment].append({**one.as_json(), **({"set": one.name in done} if set_them else {})})
        print_json({"environments": shown})
    elif not set_them:
        _show(secrets)


def _set(
    root: Path, secrets: list[EnvironmentSecret], key: Path | None, repository: str | None, *, as_json: bool
) -> list[str]:
    from fairway.engine.contract.errors import Invalid
    from fairway.secrets.github import Gh, missing, values_of

    gh = Gh(root, repository)
    gh.ready()
    there = gh.names(secrets[0].environment)
    values = values_of(secrets, os.environ, key)
    if sys.stdin.isatty():
        values |= _asked([one for one in secrets if one.name not in values], there)
    if lacking := missing(secrets, there | frozenset(values)):
        raise Invalid(
            "nothing was set: a value is missing",
            why="\n".join(f"{one.name}: {one.what}" for one in lacking),
            hint="give it in a variable of that name, the key with --key FILE, or on a terminal",
        )
    done = []
    for one in secrets:
        if one.name in values:
            gh.set(one, values[one.name])
            done.append(one.name)
            if not as_json:
                print(f"set {one.name} in {one.environment}")
    return done


def _asked(secrets: list[EnvironmentSecret], there: frozenset[str]) -> dict[str, str]:
    """Ask for what nobody has given; an empty answer leaves one as it is."""
    from fairway.secrets.github import checked, read_key

    values: dict[str, str] = {}
    for one in secrets:
        note = "empty: as it is" if one.name in there else "needed" if one.required else "empty: none"
        what = f"{one.what} (a file)" if one.suffix == "SSH_KEY" else one.what
        hidden = one.kept_back and one.suffix != "SSH_KEY"
        text = typer.prompt(f"{one.name}: {what} [{note}]", default="", show_default=False, hide_input=hidden, err=True)
        if text.strip():
            values[one.name] = checked(one, read_key(Path(text.strip())) if one.suffix == "SSH_KEY" else text)
    return values


def _show(secrets: list[EnvironmentSecret]) -> None:
    from fairway.cli.output import print_table

    rows = []
    for one in secrets:
        need = "yes" if one.required else "no"
        rows.append(
            (one.environment, one.name, need, one.value if one.value is not None else "(you give it)", one.what)
        )
    print_table(("environment", "secret", "needed", "value", "what it is"), rows)
    example = secrets[0].environment if secrets else "staging"
    print(f"next: fairway secrets github {example} --set --key <file of the pipeline's private key>")
