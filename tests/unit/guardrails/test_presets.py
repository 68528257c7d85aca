"""The shipped presets: what they catch, what they let pass, and that neither depends on one spelling."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.config import load
from fairway.guardrails import rules
from fairway.guardrails.astgrep import run_rule, scan
from fairway.guardrails.rules import PRESETS, Rule, Ruleset, preset_names, read_directory
from fairway.guardrails.samples import try_rules

EXAMPLE = Path(__file__).parents[3] / "examples" / "capakraken"
LOADED = {name: read_directory(PRESETS / name, name) for name in preset_names()}
RULES = [(preset, rule.id) for preset, ruleset in LOADED.items() for rule in ruleset.rules]
SSE_RULES = [(preset, name) for preset, name in RULES if preset.startswith("sse-")]


@pytest.mark.parametrize(("preset", "name"), RULES)
def test_a_preset_rule_catches_its_violating_samples_and_lets_the_innocent_pass(preset: str, name: str) -> None:
    (verdict,) = try_rules(LOADED[preset], [name])
    assert (verdict.missed, verdict.wrongly, verdict.unparsed, verdict.lacking) == ((), (), (), "")


@pytest.mark.parametrize("preset", ["sse-typescript", "sse-python"])
def test_the_sse_presets_ship_forty_samples_of_each_kind(preset: str) -> None:
    samples = [rule.samples for rule in LOADED[preset].rules]
    invalid = {code for sample in samples for code in sample.invalid}
    valid = {code for sample in samples for code in sample.valid}
    assert len(invalid) >= 40
    assert len(valid) >= 40


# Each is put where an innocent sample has the id of a user. None names a role in the same way as another, and
# some do not name one at all.
ROLES = {
    "sse-typescript": [
        "user.role",
        'user["role"]',
        "user?.role",
        "session?.user?.systemRole",
        "Role.VIEWER",
        "SystemRole.X",
        "ROLES[user.kind]",
        "user[field]",
        "pick(user)",
        "access.of(user)",
        "user.isAdmin",
        'isAdmin(user) ? "a" : "b"',
        '(user.level > 3 ? "upper" : "lower")',
        '"admins"',
        '"controllers"',
        '"ro" + "le"',
        '["ro", "le"].join("")',
        "`${user.department}`",
        "user.permissions[0]",
        "levels.get(user)",
        "Reflect.get(user, key)",
        "({ ...user }).kind",
        "JSON.parse(grants).first",
        "(await lookup(user))",
        "user.groups?.[0] ?? user.id",
        "user.role!",
        "(user.kind as string)",
        "userRole",
        "[...grades].map((grade) => grade)",
    ],
    "sse-python": [
        "user.role",
        'session["user"]["role"]',
        'user.get("role")',
        "user.system_role.value",
        "Role.VIEWER",
        "SystemRole.X",
        "ROLES[user.kind]",
        "user[field]",
        "pick(user)",
        "access.of(user)",
        "user.is_admin",
        "(1 if is_admin(user) else 2)",
        "(3 if user.level > 3 else 4)",
        "'admins'",
        "'controllers'",
        "('ro' + 'le')",
        "''.join(['ro', 'le'])",
        "f'{user.department}'",
        "user.permissions[0]",
        "levels.get(user)",
        "getattr(user, key)",
        "({**vars(user)})['kind']",
        "json.loads(grants)[0]",
        "(await lookup(user))",
        "(user.groups[0] or user.id)",
        "cast(str, user.kind)",
        "user_role",
        "[grade for grade in grades][0]",
        "(found := widest(user))",
    ],
}
CLIENTS = {
    "sse-typescript": [
        'request.nextUrl.searchParams.get("a")',
        "new URL(request.url).searchParams.get('a')",
        'request?.["url"]',
        'request.headers.get("x-audience")',
        'request.cookies.get("a")?.value',
        "(await request.json()).audience",
        "(await request.formData()).get('a')",
        "(await request.text())",
        "parse(request)",
        "((r) => r.url)(request)",
        "({ ...request }).url",
        "Object.values(request)[0]",
        '(await cookies()).get("a")?.value',
        '(await headers()).get("x-room")',
        "arguments[0].url",
        "request[key]",
        "[request].map((r) => r.url)[0]",
    ],
    "sse-python": [
        'request.query_params["a"]',
        'request.query_params.get("a", "all")',
        'request.headers.get("x-audience")',
        'request.headers["x-audience"]',
        'request.cookies.get("a")',
        '(await request.json())["a"]',
        '(await request.form())["a"]',
        "(await request.body())",
        "request.url.query",
        'request.path_params["a"]',
        "parse(request)",
        "(lambda r: r.url)(request)",
        "vars(request)",
        'getattr(request, "url")',
        'request.scope["query_string"]',
        "[r.url for r in [request]][0]",
        "request.session['view_as']",
        "request.state.audience",
    ],
}
# Where a sample has the id of a user: behind "user:", or as what a channel is made of.
_ID = r"(?:String\(|str\()?[\w.?!]*(?:\b(?:user|member|token|session)[\w.?!]*)(?:id|Id|sub|_id)\b\)?"
ROLE_SLOTS = [
    re.compile(rf"(?<=user:)\$?\{{(?P<id>{_ID})\}}"),
    re.compile(rf"(?:channelOf|channel_of)\((?P<id>{_ID})\)(?!:| ->| \{{)"),
    re.compile(rf'"user:" \+ (?P<id>{_ID})'),
    re.compile(rf'\["user", (?P<id>{_ID})\]'),
]
CLIENT_SLOTS = [re.compile(r"(?<=[(,] )?(?<![\w.{:])(?P<id>(?:\w+\.)*(?:user\.id|user_id|userId|token\.sub))(?=[,)])")]


def mutants(code: str, slots: list[re.Pattern[str]], sources: list[str]) -> Iterator[str]:
    """Yield the code with each of the sources in each of the slots."""
    for slot in slots:
        for found in slot.finditer(code):
            if re.search(rf"(function|def) [^\n]*\({re.escape(found['id'])}\)?$", code[: found.end("id")]):
                continue  # a parameter, not a use
            for source in sources:
                yield code[: found.start("id")] + source + code[found.end("id") :]


def mutants_of(preset: str, rule: Rule) -> list[str]:
    client = "client" in rule.id
    slots, sources = (CLIENT_SLOTS, CLIENTS[preset]) if client else (ROLE_SLOTS, ROLES[preset])
    return [mutant for code in rule.samples.valid for mutant in mutants(code, slots, sources)]


@pytest.mark.parametrize(("preset", "name"), SSE_RULES)
def test_an_innocent_sample_is_caught_once_its_audience_comes_from_elsewhere(preset: str, name: str) -> None:
    ruleset = LOADED[preset]
    made = mutants_of(preset, ruleset.rule(name))
    assert len(made) >= 100
    hits, _ = run_rule(ruleset.rule(name), ruleset.utilities, made)
    assert [mutant for mutant, hit in zip(made, hits, strict=True) if not hit] == []


def example_with(tmp_path: Path, file: str, old: str, new: str) -> tuple[Ruleset, Path]:
    root = tmp_path / "capakraken"
    shutil.copytree(EXAMPLE / "capakraken", root / "capakraken", ignore=shutil.ignore_patterns("__pycache__"))
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new), encoding="utf-8")
    return LOADED["sse-python"], root


BUS, POLICY, API = "capakraken/sse/event_bus.py", "capakraken/sse/subscription_policy.py", "capakraken/web/api.py"


def test_the_example_has_its_preset_on_and_passes_it() -> None:
    config = load(EXAMPLE / "fairway.toml")
    ruleset = rules.load(config.root, config.guardrails.path, config.guardrails.presets, rules.places(config))
    assert {rule.id for rule in ruleset.rules} >= {rule.id for rule in LOADED["sse-python"].rules}
    found = scan(EXAMPLE, ruleset, [BUS, POLICY, API])
    assert (found.matches, found.syntax) == ((), ())
    assert found.read == (BUS, POLICY, API)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (BUS, "channel_of(user_id), message", 'f"timeline:{role}", message'),
        (BUS, "for user_id in user_ids:", "for user_id in self._planners():"),
        (BUS, "subscribe(channel_of(user_id))", "subscribe(channel_of(user_id), *self._wide)"),
        (POLICY, 'f"timeline:user:{user_id}"', 'f"timeline:{level(user_id)}"'),
        (POLICY, "user_id: int", "user_id: int, role: str"),
        (API, "user.id), media", 'request.query_params["user"]), media'),
        (API, "here.bus.events_for(user_id)", "here.bus.events_for(wanted)"),
        (API, "    user = current_user(request)\n", "    user = wanted_by(request)\n"),
    ],
)
def test_the_example_is_caught_once_an_invariant_is_broken(tmp_path: Path, file: str, old: str, new: str) -> None:
    ruleset, root = example_with(tmp_path, file, old, new)
    assert {match.path for match in scan(root, ruleset, [BUS, POLICY, API]).matches} == {file}
