"""``fairway guardrails`` as people and CI meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from fairway import __version__
from tests.unit.guardrails.repositories import NO_LOG, NO_LOG_SAMPLES, repository, write

FAIRWAY = Path(sys.executable).parent / "fairway"
RULE: dict[str, str | bytes] = {"guardrails/no-log.yml": NO_LOG, "guardrails/tests/no-log-test.yml": NO_LOG_SAMPLES}
BAD = {**RULE, "src/a.ts": "function f() {\n  console.log(1);\n}\n"}

# What SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) asks of the parts that are written here.
TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "fullDescription": TEXT,
                                                "help": TEXT,
                                                "defaultConfiguration": {"properties": {"level": LEVEL}},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": -1},
                                "level": LEVEL,
                                "message": TEXT,
                                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],
                                                "additionalProperties": False,
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {"type": "string", "pattern": "^[^ \\\\]*$"}
                                                        }
                                                    },
                                                    "region": {
                                                        "additionalProperties": False,
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1},
                                                            "startColumn": {"type": "integer", "minimum": 1},
                                                        },
                                                    },
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def guardrails(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if key != "GITHUB_ACTIONS"}
    return subprocess.run(
        [FAIRWAY, "guardrails", *arguments], cwd=root, env=environ, capture_output=True, text=True, check=False
    )


def test_a_finding_refuses_with_its_line_and_what_to_do(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, BAD), "check")
    assert done.returncode == 3
    assert "src/a.ts:2:3: error: no console.log (no-log)" in done.stdout
    assert "| console.log(1);" in done.stdout
    assert "next: use the logger" in done.stdout
    assert "1 finding; 1 rule on 1 file" in done.stdout


def test_clean_code_passes(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, {**RULE, "src/a.ts": "logger.info(1);\n"}), "check")
    assert (done.returncode, done.stdout) == (0, "0 findings; 1 rule on 1 file\n")


def test_paths_are_those_of_the_current_directory(tmp_path: Path) -> None:
    root = repository(tmp_path, {**BAD, "b.ts": "console.log(2);\n"})
    done = guardrails(root / "src", "check", "a.ts")
    assert done.returncode == 3
    assert "src/a.ts:2:3" in done.stdout
    assert "b.ts:" not in done.stdout


def test_json_is_one_document(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, BAD), "check", "--format", "json")
    document = json.loads(done.stdout)
    assert document["refused"] is True
    (finding,) = document["findings"]
    assert (finding["path"], finding["line"], finding["rule"]) == ("src/a.ts", 2, "no-log")
    assert done.returncode == 3


def test_github_sees_an_annotation_on_the_line(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, BAD), "check", "--format", "github")
    first = done.stdout.splitlines()[0]
    assert first == "::error file=src/a.ts,line=2,col=3,title=no-log::no console.log%0Anext: use the logger"


def test_sarif_is_as_the_standard_asks(tmp_path: Path) -> None:
    root = repository(tmp_path, {**BAD, "with space.ts": "console.log(", "film.ts": b"\xff\xfe"})
    document = json.loads(guardrails(root, "check", "--format", "sarif").stdout)
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    assert run["tool"]["driver"]["semanticVersion"] == __version__
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(run["results"]) == 3
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]


def test_a_baseline_lets_old_sins_pass_and_no_new_one(tmp_path: Path) -> None:
    root = repository(tmp_path, BAD)
    written = guardrails(root, "check", "--write-baseline")
    assert (written.returncode, written.stdout) == (0, "guardrails/baseline.json knows 1 finding from now on\n")
    write(root, {"src/a.ts": "\n\n\nfunction f() {\n    console.log( 1 );\n}\n"})
    passed = guardrails(root, "check")
    assert (passed.returncode, passed.stdout) == (0, "0 findings, 1 in the baseline; 1 rule on 1 file\n")
    write(root, {"src/a.ts": "console.log(2);\n"})
    refused = guardrails(root, "check")
    assert refused.returncode == 3
    assert "the baseline knows no-log in src/a.ts, and it is there no more: console.log(1)" in refused.stdout
    assert guardrails(root, "check", "--write-baseline").returncode == 0
    assert guardrails(root, "check").returncode == 0


def test_a_baseline_of_a_part_is_refused(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, BAD), "check", "src", "--write-baseline")
    assert done.returncode == 2
    assert "a baseline is of everything" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check", "nope"], 2, "there is nothing to check in nope"),
        (["check", "--format", "xml"], 2, "xml"),
        (["explain", "nope"], 2, "there is no rule 'nope'"),
        (["test", "nope"], 2, "there is no rule 'nope'"),
        (["new", "No", "--language", "ts"], 2, "not a rule's id"),
        (["new", "no-log", "--language", "ts"], 2, "there already"),
    ],
)
def test_a_wrong_use_is_told_in_words(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = guardrails(repository(tmp_path, BAD), *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_rule_it_says_how_to_begin(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, {}), "check")
    assert done.returncode == 2
    assert "fairway guardrails new" in done.stderr


def test_explain_says_why_shows_both_and_how(tmp_path: Path) -> None:
    root = repository(tmp_path, BAD)
    done = guardrails(root, "explain", "no-log")
    assert done.returncode == 0
    for said in ("logs are read by machines", "    console.log(1)", "    logger.info(1)", "use the logger"):
        assert said in done.stdout
    assert "no console.log" in guardrails(root, "explain").stdout


def test_test_fails_when_a_rule_misses_a_sample(tmp_path: Path) -> None:
    root = repository(tmp_path, BAD)
    passed = guardrails(root, "test")
    assert (passed.returncode, passed.stdout) == (0, "✓ no-log: catches 1 of 1, lets 1 of 1 pass\n")
    write(root, {"guardrails/no-log.yml": NO_LOG.replace("console.log", "console.debug")})
    failed = guardrails(root, "test")
    assert failed.returncode == 1
    assert "misses:\n    console.log(1)" in failed.stdout


def test_test_tells_a_rule_without_samples(tmp_path: Path) -> None:
    done = guardrails(repository(tmp_path, {"guardrails/no-log.yml": NO_LOG}), "test")
    assert done.returncode == 1
    assert "has no invalid and valid samples" in done.stdout


def test_a_new_rule_can_be_tested_at_once(tmp_path: Path) -> None:
    root = repository(tmp_path, {})
    assert guardrails(root, "new", "no-print", "--language", "python").returncode == 0
    assert guardrails(root, "test", "no-print").returncode == 0
