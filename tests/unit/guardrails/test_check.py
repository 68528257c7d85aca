"""A check of a repository: which files it looks at, and what it finds in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fairway.config import load
from fairway.engine.contract.errors import Invalid
from fairway.guardrails import astgrep, baseline, files, rules
from fairway.guardrails.checking import Report, check
from fairway.guardrails.languages import LANGUAGES
from fairway.guardrails.rules import Ruleset
from tests.unit.guardrails.repositories import NO_LOG, repository, write

RULE = {"guardrails/no-log.yml": NO_LOG}


def checked(root: Path, *paths: str, known: tuple[baseline.Entry, ...] = ()) -> Report:
    config = load(root / "fairway.toml")
    table = config.guardrails
    ruleset = rules.load(root, table.path, table.presets, rules.places(config))
    tracked = files.tracked(root, table.include, table.exclude)
    return check(config, ruleset, tracked, [root / path for path in paths], known)


def told(report: Report) -> list[tuple[str, int, str]]:
    return [(found.path, found.finding.line, found.rule) for found in report.shown]


def test_a_finding_names_its_place_and_what_to_do(tmp_path: Path) -> None:
    root = repository(tmp_path, {**RULE, "src/a.ts": "const ü = 1; console.log(ü);\n"})
    report = checked(root)
    (found,) = report.found
    assert (found.path, found.finding.line, found.finding.column) == ("src/a.ts", 1, 14)
    assert (found.finding.message, found.finding.hint) == ("no console.log", "use the logger")
    assert report.refused


def test_only_tracked_files_are_looked_at(tmp_path: Path) -> None:
    bad = "console.log(1);\n"
    root = repository(tmp_path, {**RULE, ".hidden/a.ts": bad, "ignored.ts": bad, ".gitignore": "ignored.ts\n"})
    (root / "untracked.ts").write_text(bad)
    (root / "node_modules").mkdir()
    (root / "node_modules" / "a.ts").write_text(bad)
    assert [path for path, _, _ in told(checked(root))] == [".hidden/a.ts", "ignored.ts"]


def test_neither_a_link_nor_a_removed_file_is_followed(tmp_path: Path) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": "console.log(1);\n", "b.ts": "console.log(1);\n"})
    (root / "link.ts").symlink_to("a.ts")
    subprocess.run(["git", "-C", str(root), "add", "link.ts"], check=True)
    (root / "b.ts").unlink()
    assert told(checked(root)) == [("a.ts", 1, "no-log")]


@pytest.mark.parametrize("name", ["with space.ts", "ünïcode.ts", "-dash.ts", "a: skipped=x.ts", "[x].ts", "$(id).ts"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    root = repository(tmp_path, {**RULE, name: "console.log(1);\n"})
    assert told(checked(root)) == [(name, 1, "no-log")]


def test_include_and_exclude_are_globs_of_git(tmp_path: Path) -> None:
    bad = "console.log(1);\n"
    config = '[guardrails]\ninclude = ["src/**"]\nexclude = ["**/*.gen.ts"]\n'
    root = repository(tmp_path, {**RULE, "src/a.ts": bad, "src/deep/b.gen.ts": bad, "other.ts": bad}, config)
    assert told(checked(root)) == [("src/a.ts", 1, "no-log")]


def test_a_path_limits_the_check_to_what_lies_below_it(tmp_path: Path) -> None:
    bad = "console.log(1);\n"
    root = repository(tmp_path, {**RULE, "src/a.ts": bad, "src2/b.ts": bad})
    assert told(checked(root, "src")) == [("src/a.ts", 1, "no-log")]
    assert told(checked(root, "src2/b.ts")) == [("src2/b.ts", 1, "no-log")]


def test_a_path_with_nothing_to_check_does_not_pass_for_clean(tmp_path: Path) -> None:
    root = repository(tmp_path, RULE)
    (root / "new.ts").write_text("console.log(1);\n")
    with pytest.raises(Invalid, match="nothing to check") as caught:
        checked(root, "new.ts")
    assert "git add" in caught.value.hint


def test_outside_of_git_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="Git does not say"):
        files.tracked(tmp_path)


@pytest.mark.parametrize(
    "code", ["const = 3;", "foo(a;\n", "if (a) { b();\n", "const a = [1, 2;\n", "class A { m() {}\n"]
)
def test_a_file_that_cannot_be_parsed_is_a_finding(tmp_path: Path, code: str) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": code})
    report = checked(root)
    assert [found.rule for found in report.shown] == [rules.SYNTAX]
    assert report.refused


@pytest.mark.parametrize("code", ["x = (1\n", "def f(:\n  pass\n", "x = [1, 2\ny = 3\n", "print('a\n"])
def test_a_python_file_that_cannot_be_parsed_is_a_finding(tmp_path: Path, code: str) -> None:
    rule = NO_LOG.replace("TypeScript", "Python").replace("console.log", "print")
    root = repository(tmp_path, {"guardrails/no-log.yml": rule, "a.py": code})
    assert rules.SYNTAX in [found.rule for found in checked(root).shown]


def test_a_binary_and_a_huge_file_are_told_and_the_rest_is_checked(tmp_path: Path) -> None:
    huge = "const a = 1;\n" * 400_000
    root = repository(tmp_path, {**RULE, "film.ts": b"\x47\xff\xfe\x00", "huge.ts": huge, "z.ts": "console.log(1);\n"})
    assert told(checked(root)) == [
        ("film.ts", 0, rules.UNREAD),
        ("huge.ts", 0, rules.UNREAD),
        ("z.ts", 1, "no-log"),
    ]


def test_a_binary_that_no_rule_guards_is_nobodys_business(tmp_path: Path) -> None:
    rule = NO_LOG + 'files: ["src/**"]\n'
    root = repository(
        tmp_path, {"guardrails/no-log.yml": rule, "film.ts": b"\xff\xfe", "src/a.ts": "", "p.png": b"\xff"}
    )
    assert told(checked(root)) == []


def test_a_rule_whose_files_are_gone_is_a_finding(tmp_path: Path) -> None:
    rule = NO_LOG + 'files: ["src/moved.ts"]\n'
    root = repository(tmp_path, {"guardrails/no-log.yml": rule, "src/a.ts": ""})
    report = checked(root)
    assert [found.rule for found in report.shown] == [rules.IDLE]
    assert "src/moved.ts" in report.shown[0].finding.message
    assert told(checked(root, "src/a.ts")) == []


@pytest.mark.parametrize(
    "glob", ["src/*.ts", "src/**", "**/b.ts", "**/b.{js,ts}", "{src,lib}/{deep/,}b.ts", "src/deep/?.ts"]
)
def test_a_rules_globs_are_those_of_ast_grep(tmp_path: Path, glob: str) -> None:
    rule = NO_LOG + f'files: ["{glob}"]\n'
    root = repository(tmp_path, {"guardrails/no-log.yml": rule, "src/deep/b.ts": "console.log(1);\n"})
    found = [found.rule for found in checked(root).shown]
    assert found in (["no-log"], [rules.IDLE])
    assert (found == ["no-log"]) == bool(astgrep.scan(root, rules.load(root, "guardrails", ()), ["src/deep/b.ts"]).read)


def test_ast_greps_own_suppression_silences_nothing_unseen(tmp_path: Path) -> None:
    code = "// ast-grep-ignore\nconsole.log(1);\nconsole.log(2); // ast-grep-ignore: no-log\n"
    root = repository(tmp_path, {**RULE, "a.ts": code})
    report = checked(root)
    assert [(line, rule) for _, line, rule in told(report) if rule == rules.FOREIGN] == [
        (1, rules.FOREIGN),
        (3, rules.FOREIGN),
    ]
    assert report.refused


def test_one_that_silences_the_whole_file_is_seen_too(tmp_path: Path) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": "// ast-grep-ignore\n\nconsole.log(1);\n"})
    assert rules.FOREIGN in [found.rule for found in checked(root).shown]


@pytest.mark.parametrize(
    ("severity", "refused"), [("error", True), ("warning", True), ("info", False), ("hint", False)]
)
def test_a_note_is_told_and_refuses_nothing(tmp_path: Path, severity: str, refused: bool) -> None:
    rule = NO_LOG + f"severity: {severity}\n"
    root = repository(tmp_path, {"guardrails/no-log.yml": rule, "a.ts": "console.log(1);\n"})
    report = checked(root)
    assert told(report) == [("a.ts", 1, "no-log")]
    assert report.refused is refused


def test_more_files_than_a_command_line_holds_are_checked_in_several_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = repository(tmp_path, RULE)
    write(root, {f"src/{number}.ts": "console.log(1);\n" for number in range(50)})
    monkeypatch.setattr(astgrep, "_BATCH_BYTES", 100)
    assert len(checked(root).shown) == 50


def test_a_rule_that_ast_grep_refuses_is_named_with_its_file(tmp_path: Path) -> None:
    rule = NO_LOG.replace("{ pattern: console.log($$$) }", "{ kind: no_such_kind }")
    root = repository(tmp_path, {"guardrails/no-log.yml": rule, "a.ts": ""})
    with pytest.raises(Invalid, match=r"guardrails/no-log.yml: no-log is not a rule that ast-grep accepts") as caught:
        checked(root)
    assert "kind" in caught.value.why


def test_a_utility_that_ast_grep_refuses_is_an_error_too(tmp_path: Path) -> None:
    utility = "id: broken\nlanguage: TypeScript\nrule: { kind: no_such_kind }\n"
    root = repository(tmp_path, {**RULE, "guardrails/utils/u.yml": utility, "a.ts": ""})
    with pytest.raises(Invalid, match="a utility in utils/ is not one that ast-grep accepts"):
        checked(root)


def test_a_rule_may_use_the_directorys_utilities(tmp_path: Path) -> None:
    utility = "id: logging\nlanguage: TypeScript\nrule: { pattern: console.log($$$) }\n"
    rule = NO_LOG.replace("{ pattern: console.log($$$) }", "{ matches: logging }")
    made = {"guardrails/no-log.yml": rule, "guardrails/utils/u.yml": utility, "a.ts": "console.log(1);\n"}
    assert told(checked(repository(tmp_path, made))) == [("a.ts", 1, "no-log")]


def test_code_that_moves_stays_known_and_a_second_of_its_kind_is_new(tmp_path: Path) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": "console.log(1);\n"})
    known = baseline.entries_of(checked(root).found)
    write(root, {"a.ts": "// moved\n\n\n  console.log(\n    1);\n"})
    moved = checked(root, known=known)
    assert (told(moved), len(moved.known), moved.stale) == ([], 1, ())
    write(root, {"a.ts": "console.log(1);\nconsole.log(1);\n"})
    assert told(checked(root, known=known)) == [("a.ts", 2, "no-log")]


def test_a_mended_finding_leaves_a_stale_entry_which_is_told(tmp_path: Path) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": "console.log(1);\n", "b.ts": "console.log(1);\n"})
    known = baseline.entries_of(checked(root).found)
    write(root, {"a.ts": "logger.info(1);\n"})
    assert [entry.path for entry in checked(root, known=known).stale] == ["a.ts"]
    assert checked(root, "b.ts", known=known).stale == ()


def test_a_suppression_with_a_reason_lets_its_line_pass(tmp_path: Path) -> None:
    code = (
        "// fairway-ignore no-log: the tool prints its result\nconsole.log(1);\n"
        "console.log(2); // fairway-ignore no-log: this too\nconsole.log(3);\n"
    )
    report = checked(repository(tmp_path, {**RULE, "a.ts": code}))
    assert told(report) == [("a.ts", 4, "no-log")]
    assert [by.reason for _, by in report.suppressed] == ["the tool prints its result", "this too"]


@pytest.mark.parametrize("comment", ["no-log", "no-log:", "no-log:   ", ": because", ""])
def test_a_suppression_without_a_reason_or_a_rule_is_itself_a_finding(tmp_path: Path, comment: str) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": f"// fairway-ignore {comment}\nconsole.log(1);\n"})
    assert told(checked(root)) == [("a.ts", 1, rules.UNEXPLAINED), ("a.ts", 2, "no-log")]


@pytest.mark.parametrize("code", ["// fairway-ignore no-log: x\nfoo();\n", "// fairway-ignore other: x\nfoo();\n"])
def test_a_suppression_that_suppresses_nothing_is_a_finding(tmp_path: Path, code: str) -> None:
    assert told(checked(repository(tmp_path, {**RULE, "a.ts": code}))) == [("a.ts", 1, rules.UNUSED)]


def test_a_text_that_looks_like_a_suppression_is_none(tmp_path: Path) -> None:
    root = repository(tmp_path, {**RULE, "a.ts": 'console.log("// fairway-ignore no-log: x");\n'})
    assert told(checked(root)) == [("a.ts", 1, "no-log")]


def test_a_suppression_in_python_begins_with_its_comment_sign(tmp_path: Path) -> None:
    rule = NO_LOG.replace("TypeScript", "Python").replace("console.log", "print")
    code = "# fairway-ignore no-log: a script\nprint(1)\n"
    assert told(checked(repository(tmp_path, {"guardrails/no-log.yml": rule, "a.py": code}))) == []


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.names[0])
def test_every_language_has_files_comments_and_syntax_that_ast_grep_knows(tmp_path: Path, language: object) -> None:
    from fairway.guardrails.languages import Language

    assert isinstance(language, Language)
    hashed = ("python", "bash", "ruby", "yaml")
    comment = "/* fairway-ignore x: y */"
    if language.names[0] in hashed:
        comment = "# fairway-ignore x: y"
    elif language.names[0] == "html":
        comment = "<!-- fairway-ignore x: y -->"
    elif language.names[0] == "php":
        comment = "<?php // fairway-ignore x: y"
    for name in language.names:
        rule = NO_LOG.replace("TypeScript", name).replace("{ pattern: console.log($$$) }", "{ kind: ERROR }")
        place = tmp_path / name / "guardrails"
        place.mkdir(parents=True)
        (place / "a.yml").write_text(rule)
        for suffix in language.suffixes:
            (place.parent / f"a{suffix}").write_text(f"{comment}\n")
        found = astgrep.scan(
            place.parent, rules.load(place.parent, "guardrails", ()), [f"a{s}" for s in language.suffixes]
        )
        assert len(found.comments) == len(language.suffixes)


def test_without_rules_nothing_is_run(tmp_path: Path) -> None:
    assert astgrep.scan(tmp_path, Ruleset(), ["a.ts"]).read == ()
