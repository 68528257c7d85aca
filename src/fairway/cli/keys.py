"""``fairway keys``: who is believed by a host, and who may connect to it."""

from __future__ import annotations

import base64
import hashlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.trust import Key, PublicKey, Role, key_name

if TYPE_CHECKING:
    from fairway.remote.keeper import Keeper
    from fairway.remote.keys import Change
    from fairway.remote.trust import Changed

app = typer.Typer(
    no_args_is_help=True, help="The keys that a host believes or lets in: list, add, revoke and rotate them."
)


class Given(StrEnum):
    """The roles that are given by hand; a host's own key comes by itself."""

    REVIEWER = "reviewer"
    ADMIN = "admin"
    DEPLOY = "deploy"
    VIEWER = "viewer"


Where = Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")]
Name = Annotated[str, typer.Argument(help="The name it goes by, such as ann@example.com.")]
File = Annotated[str, typer.Argument(help="The public key's file, or - for standard input.", metavar="FILE")]
GivenRole = Annotated[
    Given,
    typer.Option(
        "--role",
        help="reviewer: approves. admin: may override a frozen window. deploy: may connect and deploy. "
        "viewer: may connect and look.",
    ),
]


@app.command("list", epilog="Example: fairway keys list production")
def list_keys(environment: Where, as_json: JsonOption = False) -> None:
    """List the keys that a host has been given, those that ended or were revoked too."""
    from fairway.cli.context import keeper_for, open_engine
    from fairway.cli.output import print_json, print_table
    from fairway.config import load
    from fairway.engine.contract.errors import Unreachable
    from fairway.remote.trust import read_trust

    target = load().environment(environment)
    try:
        with open_engine(target) as engine:
            trust = read_trust(engine)
    except Unreachable:
        if target.admin is None:
            raise
        with keeper_for(target).session() as engine:
            trust = read_trust(engine)
    if as_json:
        document = {**trust.keys.as_json(), "kept_by": trust.kept_by, "guarded": trust.guarded}
        print_json({**document, "shell_keys": list(trust.shell_keys)})
        return
    print_table(("name", "role", "state", "since (UTC)", "key", "about"), map(_row, trust.keys.keys))
    print(f"kept by {trust.kept_by}" + ("" if trust.guarded else f" ({trust.open})"))


@app.command("add", epilog="Example: fairway keys add production ann@example.com ann.pub --role reviewer")
def add(environment: Where, name: Name, file: File, role: GivenRole, as_json: JsonOption = False) -> None:
    """Give a key a role on a host: its signatures are believed, or it may connect.

    A key with the role deploy or viewer gets a line in the deploy user's authorized_keys by
    which it speaks Fairway's protocol, and has no shell, no copying and no forwarding.
    """
    from fairway.remote.keys import adding

    public = read_public(file)
    _change(environment, adding(key_name(name), Role(role.value), public), f"{name} is {role.value}", as_json=as_json)


@app.command("revoke", epilog="Example: fairway keys revoke production ann@example.com --role reviewer")
def revoke(
    environment: Where,
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="In which role.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the key.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Believe nothing that a key ever said, and let it in no more. It cannot be added again."""
    from fairway.remote.keys import revoking

    done = f"{name} is revoked as {role.value}"
    _change(environment, revoking(key_name(name), role, reason), done, as_json=as_json)


@app.command("rotate", epilog="Example: fairway keys rotate staging --host")
def rotate(
    environment: Where,
    name: Annotated[str | None, typer.Argument(help="The name it goes by; not with --host.")] = None,
    file: Annotated[
        str | None, typer.Argument(help="The new public key's file, or -; not with --host.", metavar="FILE")
    ] = None,
    role: Annotated[Given | None, typer.Option("--role", help="In which role; not with --host.")] = None,
    host: Annotated[
        bool, typer.Option("--host", help="The host's own evidence key: made anew there, and made known.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a new key in the place of one. What the old one has signed stays valid.

    With --host the host makes a new evidence key, and the environments that are
    promoted to from it are told. Exits with 1 when one of them could not be.
    """
    from fairway.remote.keys import replacing

    if host:
        if name or file or role:
            raise Invalid("--host makes the host's own key anew, and takes no name, file or role")
        _rotate_host(environment, as_json=as_json)
        return
    if name is None or file is None or role is None:
        raise Invalid(
            "a key is rotated by its name, its role and the file of the new one",
            hint="fairway keys rotate production ann@example.com ann-new.pub --role reviewer; or --host",
        )
    public = read_public(file)
    done = f"{name} has a new key as {role.value}"
    _change(environment, replacing(key_name(name), Role(role.value), public), done, as_json=as_json)


def _change(environment: str, change: Change, done: str, *, as_json: bool) -> None:
    from fairway.cli.context import keeper_for, whoami
    from fairway.cli.output import print_json, stdout
    from fairway.config import load
    from fairway.remote.keys import change_keys

    keeper = keeper_for(load().environment(environment))
    changed = change_keys(keeper, change, by=whoami())
    notes = _notes(keeper, changed)
    if as_json:
        print_json({"environment": environment, "changed": list(changed.what), "notes": notes})
        return
    stdout().print(f"{environment}: {done}", markup=False)
    for note in notes:
        stdout().print(f"note: {note}", markup=False)


def _notes(keeper: Keeper, changed: Changed) -> list[str]:
    if keeper.deploy_user is not None:
        return list(changed.notes)
    open_to = f"whoever can log in as {keeper.user} could do the same: fairway.toml names no administrator"
    return [*changed.notes, open_to]


def _rotate_host(environment: str, *, as_json: bool) -> None:
    from fairway.cli.context import keeper_for, whoami
    from fairway.cli.output import print_json, stderr, stdout
    from fairway.config import load
    from fairway.remote.keys import rotate_host_key

    config = load()
    believing = [name for name in config.environment_order if config.environments[name].promote_from == environment]
    keeper = keeper_for(config.environment(environment))
    believers = [keeper_for(config.environment(name)) for name in believing]
    rotation = rotate_host_key(keeper, believers, by=whoami())
    if as_json:
        untold = {name: error.as_json() for name, error in rotation.untold}
        document = {"name": rotation.own.name, "public": rotation.own.public, "told": list(rotation.told)}
        print_json({**document, "untold": untold})
    else:
        stdout().print(f"{rotation.own.name} has a new evidence key: {rotation.own.public}", markup=False)
        stdout().print(f"believed from now on by: {', '.join(rotation.told)}", markup=False)
    for name, error in rotation.untold:
        stderr().print(f"{name} could not be told, and takes nothing from it until it is: {error}", markup=False)
        stderr().print(f"next: fairway keys rotate {environment} --host, once {name} answers", markup=False)
    if rotation.untold:
        raise typer.Exit(1)


def read_public(file: str) -> PublicKey:
    from fairway.remote.keys import public_key

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Invalid(f"the public key cannot be read: {file}", why=str(error.strerror)) from None
    return public_key(text)


def _row(key: Key) -> tuple[str, ...]:
    state, since = "valid", key.added
    if key.revoked:
        state, since = "revoked", key.revoked
    elif key.until:
        state, since = "ended", key.until
    return (key.name, key.role.value, state, since[:19].replace("T", " "), fingerprint(key.public), key.why or "")


def fingerprint(public: PublicKey) -> str:
    """Return a key's fingerprint, as ``ssh-keygen -l`` shows it."""
    digest = hashlib.sha256(public.blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
