"""Sign as a person: with the key that they have already, by the ``ssh-keygen`` that knows where it lies.

It takes the private half from a file, an agent or a piece of hardware, and asks for a
passphrase or a touch on the terminal itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway import process
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.statement import Signed, Statement
from fairway.engine.contract.trust import PublicKey, Role
from fairway.release import git

_USUAL = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")


@dataclass(frozen=True)
class SigningKey:
    """The key somebody signs with, and what named it.

    ``key`` is a file, of the private or the public half, or the public key itself; the
    agent then has the private one.
    """

    key: Path | PublicKey
    named_by: str

    @property
    def words(self) -> str:
        """Which key it is, for people."""
        return f"{self.key if isinstance(self.key, Path) else self.key[-20:]} ({self.named_by})"


def find_key(given: Path | None, root: Path) -> SigningKey:
    """Find the key of whoever is at this machine; ``root`` is the repository whose Git settings count."""
    if given is not None:  # and an agent need not be asked
        return choose_key(given, git_key="", in_agent=(), usual=())
    home = Path.home() / ".ssh"
    usual = [home / name for name in _USUAL if (home / name).is_file()]
    return choose_key(None, git_key=git.signing_key(root), in_agent=_in_agent(), usual=usual)


def choose_key(given: Path | None, *, git_key: str, in_agent: Sequence[PublicKey], usual: Sequence[Path]) -> SigningKey:
    """Decide which key signs: the one that was named, Git's, the agent's only one, the usual one.

    Raises ``Invalid`` when none of these is there, or the one that was named is not.
    """
    if given is not None:
        return SigningKey(_file(given, "--key"), "--key")
    if git_key:
        named_by = "user.signingkey of Git"
        # Git takes the key itself as well as a file: git-config(1), user.signingKey.
        literal = git_key.removeprefix("key::")
        if literal != git_key or git_key.startswith(("ssh-", "ecdsa-", "sk-")):
            return SigningKey(PublicKey(literal), named_by)
        return SigningKey(_file(Path(git_key), named_by), named_by)
    if len(in_agent) == 1:
        return SigningKey(in_agent[0], "the SSH agent")
    if usual:
        return SigningKey(usual[0], "the usual one")
    found = f"the SSH agent has {len(in_agent)}" if in_agent else "neither Git, an SSH agent nor ~/.ssh names one"
    raise Invalid(
        "it is not clear which key to sign with" if in_agent else "there is no key to sign with",
        why=found,
        hint="name it: --key ~/.ssh/id_ed25519, or git config gpg.format ssh and user.signingkey",
    )


def sign(
    statement: Statement, key: SigningKey, role: Role, run: Callable[[list[str]], process.Completed] = process.converse
) -> Signed:
    """Sign a statement in a role. Raises ``Failed`` when the key cannot be used.

    ``run`` runs ``ssh-keygen``; by default it may ask whoever sits at the terminal.
    """
    content = statement.to_bytes()
    with tempfile.TemporaryDirectory(prefix="fairway-sign-") as name:
        file = Path(name) / "statement"
        file.write_bytes(content)
        key_file = key.key
        if isinstance(key_file, PublicKey):
            key_file, public = Path(name) / "key.pub", key_file
            key_file.write_text(f"{public}\n", encoding="ascii")
        # A file, not standard input: for a passphrase ssh-keygen wants a terminal there.
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", role.namespace, "-f", str(key_file), str(file)]
        done = run(argv)
        if done.returncode != 0:
            raise Failed(
                f"nothing was signed: the key cannot be used: {key.words}",
                why=done.tail,
                hint="see that it is yours and readable, or in the agent: ssh-add -L",
            )
        return Signed(content, file.with_suffix(".sig").read_text(encoding="ascii"))


def sign_unattended(statement: Statement, key: SigningKey, role: Role) -> Signed:
    """Sign where nobody is to be asked at the terminal. Raises ``Failed`` when the key wants more than a touch."""
    try:
        return sign(statement, key, role, process.unattended)
    except Failed as error:
        hint = "a key with a passphrase has to be in the SSH agent (ssh-add); or sign on a terminal: fairway approve"
        raise Failed(error.what, why=error.why, hint=hint) from None


def _file(path: Path, named_by: str) -> Path:
    found = path.expanduser().absolute()
    if not found.is_file():
        raise Invalid(f"there is no key {found}", why=f"named by {named_by}")
    return found


def _in_agent() -> tuple[PublicKey, ...]:
    """Return the keys that the agent offers; without an agent there are none. Certificates are no keys."""
    try:
        done = process.run(["ssh-add", "-L"], timeout_s=10)
    except FairwayError:
        return ()
    keys: list[PublicKey] = []
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        try:
            keys.append(PublicKey(line))
        except Invalid:
            continue
    return tuple(keys)
