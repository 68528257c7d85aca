"""``fairway env``: look at the hosts' settings without seeing one, and change those that are encrypted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption, WaitOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fairway.config import Config, Environment

app = typer.Typer(
    help="Look at the settings of environments, and change those that are encrypted.",
    no_args_is_help=True,
)

EnvironmentArgument = Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")]
IdentityOption = Annotated[
    Path,
    typer.Option(
        "--identity",
        envvar="FAIRWAY_AGE_IDENTITY",
        help="The file of your age key, or an OpenSSH key without a passphrase.",
        metavar="FILE",
    ),
]
_IDENTITY = Path("~/.config/fairway/identity.txt")


@app.command("check", epilog="Example: fairway env check production")
def check(environment: EnvironmentArgument, as_json: JsonOption = False) -> None:
    """Show which settings a host has: present, empty or missing, how long, and a fingerprint; never a value.

    Every line of the file that cannot be taken is named. A fingerprint tells whether a
    value is the one it was, on this host only. Exits with 2 when a setting that is needed
    has no value, or a line cannot be taken.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation
    from fairway.secrets.comparing import needed_and_missing

    config = load()
    with open_engine(config.environment(environment)) as engine:
        found = engine.call(Operation.ENV, env=config.env_rules.as_json())
    missing = needed_and_missing(found["keys"])
    if as_json:
        print_json({**found, "lacking": missing})
    else:
        _show(environment, found, missing)
    raise typer.Exit(2 if missing or found["problems"] else 0)


def _show(environment: str, found: dict[str, Any], missing: dict[str, str]) -> None:
    from fairway.cli.output import print_table

    print(f"{environment}: {found['file']}{' (encrypted)' if found['encrypted'] else ''}")
    rows = [
        (row["key"], row["state"], row["rule"], str(row["length"] or ""), row["fingerprint"]) for row in found["keys"]
    ]
    print_table(("key", "state", "rule", "length", "fingerprint"), rows)
    for problem in found["problems"]:
        print(f"line {problem['line']}: {problem['what']}\n  next: {problem['hint']}")
    if found["unnamed"]:
        print(f"{found['unnamed']} more, not declared: they may be parts of a value, so mend the lines first")
    for key, reason in missing.items():
        print(f"{key} has no value: {reason}")


@app.command("diff", epilog="Example: fairway env diff staging production")
def diff(
    first: EnvironmentArgument,
    second: Annotated[str, typer.Argument(help="The other one.")],
    names: Annotated[
        bool, typer.Option("--names", help="Only which have a value; a deploy key may ask that of any host.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show which settings only one of two environments has, and which have the same value in both; never a value.

    The two hosts make fingerprints with a key that is made for this once and kept
    nowhere. Where an administrator keeps a host, it makes them for nobody else: a short
    value could be guessed from them. Exits with 1 when a setting has a value in one and
    none in the other.
    """
    from fairway.cli.output import print_json, print_table
    from fairway.config import load
    from fairway.secrets.comparing import compare, names_only

    config = load()
    targets = (config.environment(first), config.environment(second))
    if names:
        found = _asked(targets, config)
        differences = compare(*(names_only(one["keys"]) for one in found))
    else:
        found = _compared(targets, config)
        differences = compare(*(one["keys"] for one in found))
    if as_json:
        print_json(
            [
                {"key": one.key, "rule": one.rule, first: one.first, second: one.second, "equal": one.equal}
                for one in differences
            ]
        )
    else:
        said = {True: "the same", False: "different", None: ""}
        rows = [(one.key, one.rule, one.first, one.second, said[one.equal]) for one in differences]
        print_table(("key", "rule", first, second, "values"), rows)
        for name, answer in zip((first, second), found, strict=True):
            if answer["problems"]:
                print(f"{name}: some lines cannot be taken: fairway env check {name}")
    raise typer.Exit(int(any(one.one_sided for one in differences)))


def _asked(targets: Iterable[Environment], config: Config) -> list[dict[str, Any]]:
    """Ask hosts which settings they have, as whoever deploys may."""
    from contextlib import ExitStack

    from fairway.cli.context import open_engine
    from fairway.engine.contract.protocol import Operation

    with ExitStack() as stack:
        engines = [stack.enter_context(open_engine(target)) for target in targets]
        return [engine.call(Operation.ENV, env=config.env_rules.as_json()) for engine in engines]


def _compared(targets: Iterable[Environment], config: Config) -> list[dict[str, Any]]:
    """Ask hosts for fingerprints that can be held against each other, as whoever keeps each of them."""
    import base64
    import secrets
    from contextlib import ExitStack

    from fairway.cli.context import keeper_for
    from fairway.engine.contract.protocol import Operation

    key = base64.b64encode(secrets.token_bytes(32)).decode()
    with ExitStack() as stack:
        engines = [stack.enter_context(keeper_for(target).upkeep_session()) for target in targets]
        return [engine.call(Operation.COMPARE_ENV, env=config.env_rules.as_json(), comparing=key) for engine in engines]


@app.command("set", epilog="Example: openssl rand -hex 32 | fairway env set production NEXTAUTH_SECRET")
def set_value(
    environment: EnvironmentArgument,
    key: Annotated[str, typer.Argument(help="The setting's name.", metavar="KEY", show_default=False)],
    identity: IdentityOption = _IDENTITY,
    wait_s: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Change one setting of an encrypted environment file; the value comes from a prompt or standard input.

    The file is opened, changed and encrypted here, in memory. What runs goes on with
    the old value until [bold]fairway restart[/bold]. A plain file is the operator's: it is refused.
    """
    from fairway.engine.contract.envtext import with_value

    def change(text: str) -> str:
        if sys.stdin.isatty():
            import getpass

            value = getpass.getpass(f"{key}: ")
        else:
            value = _standard_input().removesuffix("\n")
        return with_value(text, key, value)

    _change(environment, identity, change, wait_s=wait_s, as_json=as_json)


@app.command("edit", epilog="Example: fairway env edit production")
def edit(
    environment: EnvironmentArgument,
    identity: IdentityOption = _IDENTITY,
    wait_s: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Edit an encrypted environment file with $EDITOR, or begin one; its text can come on standard input, too.

    It is encrypted to the keys under env.recipients and to the host's own. The editor
    works in memory, where this system has such a place. What runs goes on with the old
    settings until [bold]fairway restart[/bold]. A plain file is the operator's: it is refused.
    """
    import os

    from fairway.cli.output import ask, stderr
    from fairway.engine.contract.errors import Invalid
    from fairway.secrets import editing

    def change(text: str) -> str:
        if not sys.stdin.isatty():
            return _standard_input()

        def notice(line: str) -> None:
            stderr().print(line, markup=False)

        while True:
            text = editing.edit(text, f"{environment}.env", os.environ, notice)
            try:
                return editing.checked(text)
            except Invalid as error:
                # What was written is nowhere else: it is not thrown away for a slip.
                notice(str(error))
                if not ask("Edit it again?"):
                    raise

    _change(environment, identity, change, wait_s=wait_s, as_json=as_json)


def _standard_input() -> str:
    from fairway.engine.contract.errors import Invalid

    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("what came on standard input is not UTF-8 text") from None


def _change(environment: str, identity: Path, change: Callable[[str], str], *, wait_s: float, as_json: bool) -> None:
    """Fetch, open, change, check, encrypt and send an encrypted file."""
    import base64

    from fairway.cli.context import keeper_for, whoami
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.names import Digest
    from fairway.engine.contract.protocol import Operation
    from fairway.secrets.editing import checked, template
    from fairway.secrets.sealing import read_identities, seal, unseal

    config = load()
    target = config.environment(environment)
    recipients = _recipients(config)
    rules = config.env_rules
    keeper = keeper_for(target)
    with keeper.deploy_session() as engine:
        present = engine.call(Operation.SEALED_ENV, env=rules.as_json())
    content = base64.b64decode(present["content"]) if present["content"] is not None else None
    if content is None:
        before = template(rules)
    else:
        before = unseal(content, read_identities(identity), f"{rules.sealed_file} of {environment}")
    after = checked(change(before))
    sealed = seal(after, (*recipients, str(present["recipient"])))
    # An editor may have been open for an hour: the first connection is not kept for that.
    with keeper.session() as engine:
        result = engine.call(
            Operation.SET_SEALED_ENV,
            env=rules.as_json(),
            content=base64.b64encode(sealed).decode(),
            replaces=Digest.of(content) if content is not None else None,
            by=whoami(),
            wait_s=wait_s,
        )
    if as_json:
        print_json(result)
        return
    changed = ", ".join(result["changed"])
    print(f"{environment}: {result['file']}: {f'changed: {changed}' if changed else 'no value changed'}")
    for key, reason in result["lacking"].items():
        print(f"{key} has no value: {reason}")
    if changed:
        print(f"next: fairway restart {environment}, which starts what serves with it")


def _recipients(config: Config) -> tuple[str, ...]:
    from fairway.engine.contract.errors import Invalid

    if not config.env.recipients:
        raise Invalid(
            "nobody is named who could open an encrypted environment file",
            why="env.recipients is empty in fairway.toml",
            hint="put your team's public age or SSH keys there; a new one: age-keygen -o FILE",
        )
    return config.env.recipients
