"""What a rule's file must say, and what is said when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.engine.contract.errors import Invalid
from fairway.findings import Severity
from fairway.guardrails import rules
from fairway.guardrails.choices import Template
from fairway.guardrails.samples import try_rules
from fairway.guardrails.starting import write_rule
from tests.unit.guardrails.repositories import NO_LOG, NO_LOG_SAMPLES


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def refused(root: Path) -> str:
    with pytest.raises(Invalid) as caught:
        rules.load(root, "guardrails", ())
    return str(caught.value)


def test_a_rule_says_what_why_and_how(tmp_path: Path) -> None:
    written(tmp_path, {"guardrails/a.yml": NO_LOG, "guardrails/tests/a-test.yml": NO_LOG_SAMPLES})
    (rule,) = rules.load(tmp_path, "guardrails", ()).rules
    assert (rule.id, rule.severity, rule.message, rule.why, rule.fix) == (
        "no-log",
        Severity.ERROR,
        "no console.log",
        "logs are read by machines",
        "use the logger",
    )
    assert (rule.samples.invalid, rule.samples.valid) == (("console.log(1)",), ("logger.info(1)",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("message: no console.log\n", ""), "message is missing"),
        (("note: use the logger\n", ""), "note is missing"),
        (("metadata: { why: logs are read by machines }\n", ""), "why is missing"),
        (("language: TypeScript\n", ""), "language is missing"),
        (("language: TypeScript", "language: Cobol"), "no guardrails for the language 'Cobol'"),
        (("id: no-log", "id: No Log"), "id must be lower-case"),
        (("id: no-log", "id: unread-file"), "Fairway's own"),
        (("id: no-log", "id: fairway-x"), "Fairway's own"),
        (("id: no-log", "id: [no-log"), "not valid YAML"),
        (("id: no-log", "id: no-log\nid: no-log"), "not valid YAML"),
        (("rule:", "severity: fatal\nrule:"), "severity must be one of"),
        (("rule:", "files: src\nrule:"), "files must be a list of strings"),
        (("rule:", "files: ['./src/**']\nrule:"), "which ast-grep finds nowhere"),
        ((NO_LOG, "- a\n- b\n"), "must hold tables"),
    ],
)
def test_an_incomplete_rule_is_refused_by_its_file(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    text = NO_LOG.replace(*change)
    assert text != NO_LOG
    message = refused(written(tmp_path, {"guardrails/a.yml": text}))
    assert said in message
    assert "guardrails/a.yml" in message


def test_a_rule_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    written(tmp_path, {"guardrails/a.yml": ""})
    (tmp_path / "guardrails/a.yml").write_bytes(b"id: \xff")
    assert "not UTF-8" in refused(tmp_path)


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    message = refused(written(tmp_path, {"guardrails/a.yml": NO_LOG, "guardrails/b.yml": NO_LOG}))
    assert "two rules are called 'no-log'" in message
    assert "guardrails/a.yml and in guardrails/b.yml" in message


def test_samples_of_no_rule_are_refused(tmp_path: Path) -> None:
    assert "samples of 'no-log'" in refused(written(tmp_path, {"guardrails/tests/a-test.yml": NO_LOG_SAMPLES}))


def test_an_unknown_preset_is_refused_and_the_known_are_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no preset 'sse'") as caught:
        rules.load(tmp_path, "guardrails", ["sse"])
    assert "sse-python, sse-typescript" in caught.value.why


def test_presets_stand_beside_the_repositorys_own_rules_and_beside_each_other(tmp_path: Path) -> None:
    written(tmp_path, {"guardrails/a.yml": NO_LOG})
    places = {"compose.file": "compose.yml", "build.dockerfile": "Dockerfile"}
    ruleset = rules.load(tmp_path, "guardrails", rules.preset_names(), places)
    assert len({rule.origin.split("/")[0] for rule in ruleset.rules}) == 1 + len(rules.preset_names())
    assert ruleset.rule("compose-build").files[0] == "compose.yml"
    assert ruleset.rule("no-log").origin == "guardrails/a.yml"


def test_an_unknown_rule_is_refused(tmp_path: Path) -> None:
    written(tmp_path, {"guardrails/a.yml": NO_LOG})
    with pytest.raises(Invalid, match="no rule 'no-lag'") as caught:
        rules.load(tmp_path, "guardrails", ()).rule("no-lag")
    assert "no-log" in caught.value.why


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        ('invalid: ["logger.info(1)"]\nvalid: ["logger.info(1)"]', "missed"),
        ('invalid: ["console.log(1)"]\nvalid: ["console.log(2)"]', "wrongly"),
        ('invalid: ["console.log(1)"]\nvalid: ["const = ;"]', "unparsed"),
        ('invalid: ["console.log(1)"]', "lacking"),
        ('valid: ["logger.info(1)"]', "lacking"),
        (None, "lacking"),
    ],
)
def test_a_rule_that_does_not_do_what_its_samples_say_is_told(
    tmp_path: Path, samples: str | None, problem: str
) -> None:
    written(tmp_path, {"guardrails/a.yml": NO_LOG})
    if samples is not None:
        written(tmp_path, {"guardrails/tests/a-test.yml": f"id: no-log\n{samples}\n"})
    (verdict,) = try_rules(rules.load(tmp_path, "guardrails", ()))
    assert not verdict.ok
    assert [name for name in ("missed", "wrongly", "unparsed", "lacking") if getattr(verdict, name)] == [problem]


def test_samples_are_tried_wherever_the_rules_files_lie(tmp_path: Path) -> None:
    rule = NO_LOG + 'files: ["src/only/here.ts"]\n'
    written(tmp_path, {"guardrails/a.yml": rule, "guardrails/tests/a-test.yml": NO_LOG_SAMPLES})
    (verdict,) = try_rules(rules.load(tmp_path, "guardrails", ()))
    assert verdict.ok


@pytest.mark.parametrize("language", Template)
def test_a_new_rule_passes_its_own_samples(tmp_path: Path, language: Template) -> None:
    made = write_rule(tmp_path, "guardrails", "no-print", language)
    assert made == ("guardrails/no-print.yml", "guardrails/tests/no-print-test.yml")
    (verdict,) = try_rules(rules.load(tmp_path, "guardrails", ()))
    assert verdict.ok
    with pytest.raises(Invalid, match="is there already"):
        write_rule(tmp_path, "guardrails", "no-print", language)


def test_a_new_rules_id_cannot_leave_the_directory(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not a rule's id"):
        write_rule(tmp_path, "guardrails", "../../evil", Template.TS)
