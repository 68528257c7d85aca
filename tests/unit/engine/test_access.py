"""The ways in, who keeps a host, and the deploy user's authorized_keys: the decisions."""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.access import authorized, keeping
from fairway.engine.access.authorized import forced_line, parse, refuse_lockout, rewrite, shells
from fairway.engine.access.guard import Entry, examine, weakness
from fairway.engine.access.ways import Way, copies_files, refuse_operation, refuse_other_command
from fairway.engine.contract.errors import Refused
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.trust import Key, Keys, PublicKey, Role
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout

HOST = HostConfig("capakraken", "production", "3000", "haproxy:3.0", True)
ENGINE = "/opt/capakraken/.fairway/engine/current"
MARK = "fairway:capakraken:production"
AT = "2026-01-31T12:00:00.000Z"


def public(seed: int = 0) -> PublicKey:
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + bytes([seed]) * 32
    return PublicKey(f"ssh-ed25519 {base64.b64encode(blob).decode()}")


# -- what sshd hands over


def _is_engine(path: str) -> bool:
    return path == ENGINE


@pytest.mark.parametrize("asked", [None, f"python3 -I {ENGINE} serve", f"'python3' '-I' '{ENGINE}' 'serve'"])
def test_the_engine_s_own_serve_goes_through(asked: str | None) -> None:
    refuse_other_command(asked, _is_engine, terminal=False)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bash",
        "scp -t /tmp/x",
        "internal-sftp",
        "/usr/lib/openssh/sftp-server",
        "python3 -I -",
        f"python3 -I {ENGINE} serve; id",
        f"python3 -I {ENGINE} serve && id",
        f"python3 -I {ENGINE} serve id",
        f"python3 {ENGINE} serve",
        f"python3 -I {ENGINE} admin",
        f"env python3 -I {ENGINE} serve",
        "python3 -I /opt/other/.fairway/engine/current serve",
        f"python3 -I {ENGINE} 'serve",
    ],
)
def test_anything_else_is_refused_in_words(asked: str) -> None:
    with pytest.raises(Refused, match="may only speak Fairway's protocol"):
        refuse_other_command(asked, _is_engine, terminal=False)


def test_the_protocol_is_not_spoken_with_somebody_at_a_terminal() -> None:
    with pytest.raises(Refused):
        refuse_other_command(None, _is_engine, terminal=True)


@given(st.text())
def test_whatever_is_asked_for_is_shown_escaped_and_short(asked: str) -> None:
    with pytest.raises(Refused) as caught:
        refuse_other_command(asked, lambda path: False, terminal=False)
    assert caught.value.why.isascii()
    assert caught.value.why.isprintable()
    assert len(caught.value.why) < 1100


@pytest.mark.parametrize(
    ("asked", "copies"),
    [("scp -t x", True), ("/usr/lib/openssh/sftp-server", True), ("internal-sftp", True), ("bash", False), ("", False)],
)
def test_a_copying_client_gets_no_line_that_it_would_take_for_its_own(asked: str, copies: bool) -> None:
    assert copies_files(asked) is copies


#: What a stolen deploy key could take the data away with, or find out short secrets by.
LOSES_DATA = {"backup-restore", "backup-drop-old", "backup-prune"}
TELLS_SECRETS = {"compare-env"}
#: What a viewer's key is for: nothing of it changes anything, or tells of a setting.
LOOKS = {
    *("hello", "status", "history", "ledger", "follow", "logs", "edge-figures", "metrics", "uptime"),
    *("backup-list", "trust", "evidence", "judge", "gate", "migrations"),
}
OF_ROOT_ALONE = {"ground", "prepare"}


@pytest.mark.parametrize("operation", Operation)
def test_an_administrator_who_has_become_the_deploy_user_only_does_what_a_deploy_key_may_not(
    operation: Operation,
) -> None:
    if operation.value in LOSES_DATA | TELLS_SECRETS | {"hello"}:
        refuse_operation(Way.UPKEEP, operation, guarded=lambda: True)
    else:
        with pytest.raises(Refused, match="does not answer"):
            refuse_operation(Way.UPKEEP, operation, guarded=lambda: True)


@pytest.mark.parametrize("asked", ["python3 -I {} upkeep", "python3 -I {} admin", "python3 -I {} look"])
def test_a_forced_command_serves_and_opens_no_other_way(asked: str) -> None:
    with pytest.raises(Refused, match="only speak"):
        refuse_other_command(asked.format("/opt/x/engine"), lambda path: True, terminal=False)


@pytest.mark.parametrize("operation", Operation)
def test_a_viewer_asks_and_changes_nothing(operation: Operation) -> None:
    if operation.value in LOOKS:
        refuse_operation(Way.LOOK, operation, guarded=lambda: False)
    else:
        with pytest.raises(Refused, match="does not answer"):
            refuse_operation(Way.LOOK, operation, guarded=lambda: False)


def test_each_role_that_connects_has_a_command_of_its_own(layout: Layout, home: Path) -> None:
    keys = Keys(
        (
            Key("ci", Role.DEPLOY, public(1), AT),
            Key("dashboard", Role.VIEWER, public(2), AT),
            Key("ann", Role.REVIEWER, public(3), AT),
            Key("old", Role.VIEWER, public(4), AT, revoked=AT),
        )
    )
    authorized.update(layout, HOST, keys, by_admin=True)
    written = home.read_text()
    commands = {line.comment: line.options.rpartition(" ")[2] for line in parse(written)}
    assert commands == {f"{MARK}:ci": 'serve"', f"{MARK}:dashboard": 'look"'}


@pytest.mark.parametrize("operation", Operation)
def test_root_deploys_nothing(operation: Operation) -> None:
    kept = {"hello", "configure", "trust", "set-trust", "install_unit", "doctor", "set-sealed-env"}
    if operation.value in kept | OF_ROOT_ALONE:
        refuse_operation(Way.ADMIN, operation, guarded=lambda: True)
    else:
        with pytest.raises(Refused, match="does not answer"):
            refuse_operation(Way.ADMIN, operation, guarded=lambda: True)


@pytest.mark.parametrize("operation", Operation)
def test_where_an_administrator_keeps_the_host_the_deploy_key_changes_nothing_of_it(operation: Operation) -> None:
    if operation.value in OF_ROOT_ALONE:
        with pytest.raises(Refused, match="only an administrator may"):
            refuse_operation(Way.DEPLOY, operation, guarded=lambda: False)
        return
    refuse_operation(Way.DEPLOY, operation, guarded=lambda: False)
    kept = {"configure", "set-trust", "install_unit", "set-sealed-env"}
    if operation.value in kept | LOSES_DATA | TELLS_SECRETS:
        with pytest.raises(Refused, match="only an administrator may"):
            refuse_operation(Way.DEPLOY, operation, guarded=lambda: True)
    else:
        refuse_operation(Way.DEPLOY, operation, guarded=lambda: True)


# -- who keeps a host

DIRECTORY, FILE, LINK = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK


@pytest.mark.parametrize(
    ("entry", "weak"),
    [
        (Entry("/", 0, DIRECTORY | 0o755, False), False),
        (Entry("/opt/x", 0, DIRECTORY | 0o1775, False), False),
        (Entry("/tmp", 0, DIRECTORY | 0o1777, False), False),
        (Entry("/opt/x", 0, DIRECTORY | 0o775, False), True),
        (Entry("/opt/x", 0, DIRECTORY | 0o757, False), True),
        (Entry("/opt/x", 1000, DIRECTORY | 0o755, False), True),
        (Entry("trust", 0, DIRECTORY | 0o755, True), False),
        (Entry("trust", 0, DIRECTORY | 0o1775, True), True),
        (Entry("current", 0, LINK | 0o777, True), False),
        (Entry("current", 1000, LINK | 0o777, True), True),
        (Entry("policy.json", 0, FILE | 0o644, True), False),
        (Entry("policy.json", 0, FILE | 0o664, True), True),
        (Entry("policy.json", 0, FILE | 0o1666, False), True),
        (Entry("policy.json", 1000, FILE | 0o600, True), True),
        (Entry("host.json", 0, 0, True, there=False), True),
    ],
)
def test_what_others_than_root_could_change_is_weak(entry: Entry, weak: bool) -> None:
    found = weakness([Entry("/", 0, DIRECTORY | 0o755, False), entry])
    assert (found is not None) == weak
    assert not weak or entry.path in str(found)


def test_a_host_whose_deploy_user_is_root_or_keeps_it_is_not_guarded(layout: Layout) -> None:
    guard = examine(layout)
    assert not guard.guarded
    assert guard.why


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of another's")
def test_a_deploy_user_beside_root_s_files_is_guarded_and_one_loose_bit_ends_it(layout: Layout, tmp_path: Path) -> None:
    _guard(layout)
    # pytest's own directories are root's here; what is above them is the machine's.
    found = examine(layout)
    assert (found.guarded, found.why) == (True, "")
    for path, mode in ((layout.engines, 0o775), (layout.root, 0o775), (layout.policy, 0o666), (tmp_path, 0o777)):
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        assert not examine(layout).guarded, path
        path.chmod(before)
    (layout.engines / "current").unlink()
    (layout.engines / "current").symlink_to(tmp_path / "elsewhere")
    assert not examine(layout).guarded


def _guard(layout: Layout) -> None:
    os.chown(layout.deployments, 65534, 65534)
    layout.root.chmod(0o1775)
    layout.engines.chmod(0o755)
    (layout.engines / "engine.pyz").write_text("")
    (layout.engines / "current").symlink_to("engine.pyz")
    layout.trust.mkdir(mode=0o755)
    layout.policy.write_bytes(b"{}")
    layout.host_config.write_bytes(b"{}")


# -- authorized_keys


def _line(options: str, seed: int, comment: str = "x") -> str:
    return f"{options} {public(seed)} {comment}".strip()


@pytest.mark.parametrize(
    ("options", "opens"),
    [
        ("", True),
        ("restrict", True),
        ("no-pty,no-port-forwarding", True),
        ('from="10.0.0.1,command=x"', True),
        ('environment="A=command=\\"x"', True),
        ('command="ls"', False),
        ('COMMAND="ls"', False),
        ('restrict,from="*.example.com",command="python3 -I x, serve \\"y\\""', False),
    ],
)
def test_a_key_opens_a_shell_unless_a_command_is_forced(options: str, opens: bool) -> None:
    (line,) = parse(_line(options, 1, "ann@laptop with words"))
    assert line.has(public(1))
    assert line.opens_shell is opens
    assert line.comment == "ann@laptop with words"
    assert line.options == options


def test_what_is_no_key_is_passed_over() -> None:
    text = f"# comment\n\nnonsense\nssh-ed25519\nssh-ed25519 !!!\n  {public(1)}\n"
    assert [line.number for line in parse(text)] == [6]


def test_the_first_line_of_a_key_decides() -> None:
    forced = 'command="x"'
    assert shells("\n".join([_line(forced, 1), _line("", 1)])) == []
    assert len(shells("\n".join([_line("", 1), _line(forced, 1)]))) == 1


def test_fairway_s_lines_go_first_and_all_others_stay_as_they_are() -> None:
    layout = Layout(Path("/opt/capakraken"))
    mine = '# mine\r\nfrom="10.0.0.1"  ssh-rsa AAAA me\n\n'
    lines = [forced_line(layout, HOST, "ci", public(1))]
    once = rewrite(mine, MARK, lines, [])
    assert once.endswith(mine)
    assert once.splitlines()[1] == (
        f'restrict,command="python3 -I {ENGINE} serve" {public(1)} fairway:capakraken:production:ci'
    )
    assert rewrite(once, MARK, lines, []) == once
    assert rewrite(once, MARK, [], []) == mine
    other = rewrite(once, "fairway:other:production", [forced_line(layout, HOST, "ci", public(2))], [])
    assert rewrite(other, "fairway:other:production", [], []).endswith(mine)


def test_a_lost_marker_costs_nobody_their_line() -> None:
    layout = Layout(Path("/opt/capakraken"))
    once = rewrite(_line("", 7), MARK, [forced_line(layout, HOST, "ci", public(1))], [])
    torn = "\n".join(line for line in once.split("\n") if not line.startswith("# end"))
    assert rewrite(torn, MARK, [], []) == _line("", 7)


def test_a_revoked_key_goes_from_every_line() -> None:
    text = "\n".join([_line("", 1), _line("", 2), _line('from="*"', 1)])
    assert rewrite(text, MARK, [], [public(1)]) == _line("", 2)


def test_a_comment_like_fairway_s_on_a_line_that_opens_a_shell_is_not_fairway_s() -> None:
    text = _line("", 1, f"{MARK}:ci")
    assert rewrite(text, MARK, [], []) == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r")), st.integers(0, 3))
def test_whatever_the_file_holds_putting_lines_in_and_out_leaves_it(text: str, count: int) -> None:
    lines = [forced_line(Layout(Path("/opt/capakraken")), HOST, f"k{n}", public(n)) for n in range(count)]
    assert rewrite(rewrite(text, MARK, lines, []), MARK, [], []) == rewrite(text, MARK, [], [])


def test_the_last_shell_is_not_given_away_but_by_an_administrator() -> None:
    text = _line('command="x"', 1)
    with pytest.raises(Refused, match="leave nobody a way to log in"):
        refuse_lockout(text, by_admin=False)
    refuse_lockout(text, by_admin=True)
    refuse_lockout(f"{text}\n{_line('', 2)}", by_admin=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home" / ".ssh" / "authorized_keys"
    path.parent.parent.mkdir()
    monkeypatch.setattr(authorized, "_path", lambda layout: path)
    return path


def test_a_file_without_anything_of_fairway_s_is_left_alone(layout: Layout, home: Path) -> None:
    reviewer = Key("ann", Role.REVIEWER, public(1), AT)
    assert authorized.update(layout, HOST, Keys((reviewer,)), by_admin=True) == []
    assert not home.exists()


def test_the_file_is_private_and_a_link_is_not_followed(layout: Layout, home: Path, tmp_path: Path) -> None:
    key = Key("ci", Role.DEPLOY, public(1), AT)
    assert authorized.update(layout, HOST, Keys((key,)), by_admin=True) == [f"{home} now has 1 of Fairway's keys"]
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert authorized.update(layout, HOST, Keys((key,)), by_admin=True) == []
    home.rename(tmp_path / "elsewhere")
    home.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="is a link"):
        authorized.update(layout, HOST, Keys(), by_admin=True)


# -- what is kept


def test_nothing_revives_a_revoked_key() -> None:
    revoked = Keys((Key("ann", Role.REVIEWER, public(1), AT, revoked=AT),))
    keeping.refuse_revived(revoked, revoked)
    with pytest.raises(Refused, match="was revoked on this host"):
        keeping.refuse_revived(revoked, Keys((Key("ann", Role.REVIEWER, public(1), AT),)))
    with pytest.raises(Refused, match="would be forgotten"):
        keeping.refuse_revived(revoked, Keys())


def test_a_change_is_told_and_put_on_record_but_the_first_one_is_not(layout: Layout, home: Path) -> None:
    from fairway.engine.ledger import Ledger

    ann = Key("ann", Role.REVIEWER, public(1), AT)

    def change(keys: Keys) -> list[str]:
        changed: list[str] = keeping.set_trust(
            layout, HOST, by="root@laptop", policy=None, keys=keys, new_evidence_key=False
        )["changed"]
        return changed

    assert change(Keys()) == ["keys.json"]
    assert change(Keys()) == []
    assert Ledger(layout.ledger).newest(5) == []
    assert change(Keys((ann,))) == ["keys.json"]
    change(Keys((ann,)).ended("ann", Role.REVIEWER, revoked=AT, why=secrets.token_hex(4)))
    told = [(entry.get("added"), entry.get("ended")) for entry in Ledger(layout.ledger).newest(5)]
    assert told == [(["ann (reviewer)"], None), (None, ["ann (reviewer)"])]


def test_the_reference_says_what_a_viewer_may_ask() -> None:
    reference = (Path(__file__).parents[3] / "docs/reference/protocol.md").read_text()
    said = reference.partition("it answers ")[2].partition(", and refuses")[0]
    assert set(re.findall(r"`([a-z-]+)`", said)) == LOOKS
