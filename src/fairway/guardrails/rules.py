"""Rules, the parts they share, and their samples, as they lie in a directory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import Invalid
from fairway.findings import RuleText, Severity
from fairway.guardrails.languages import LANGUAGES, Language, find

if TYPE_CHECKING:
    from fairway.config import Config

PRESETS = Path(__file__).parent / "presets"
#: What Fairway itself finds; no rule may be called so.
SYNTAX = "unparsed-file"
UNREAD = "unread-file"
IDLE = "guards-nothing"
UNEXPLAINED = "unexplained-suppression"
UNUSED = "unused-suppression"
FOREIGN = "foreign-suppression"

#: What Fairway adds to ast-grep's rules.
_OWN_KEYS = ("check", "unless", "allow")
_PLACE = re.compile(r"\$\{([a-z_.]+)\}")
RULE_ID = re.compile(r"[a-z][a-z0-9-]{1,80}")
_SEVERITIES = {
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "info": Severity.NOTE,
    "hint": Severity.NOTE,
}

BUILT_IN = (
    RuleText(
        SYNTAX, Severity.ERROR, "a file that a rule guards cannot be parsed", "no rule can clear what it cannot read"
    ),
    RuleText(
        UNREAD, Severity.ERROR, "a file that a rule guards cannot be read", "no rule can clear what it cannot read"
    ),
    RuleText(
        IDLE, Severity.ERROR, "a rule names files and none of them is there", "moving a file must not end its guard"
    ),
    RuleText(UNEXPLAINED, Severity.ERROR, "a suppression gives no reason", "the next reader must be able to judge it"),
    RuleText(UNUSED, Severity.ERROR, "a suppression suppresses nothing", "it would hide the next finding on its line"),
    RuleText(FOREIGN, Severity.ERROR, "ast-grep's own suppression stands in a guarded file", "it needs no reason"),
)


@dataclass(frozen=True)
class Samples:
    """Code that a rule must catch, and code that it must let pass.

    ``config`` is the part of a ``fairway.toml`` that they are held against, where the rule asks for one.
    """

    invalid: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    config: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule: what it says to people, and the ``document`` that ast-grep runs.

    ``fix`` is how to write it instead. ``files`` are the globs the rule is limited to, none for
    every file of its languages. ``origin`` is the file it stands in, as it is told to people.

    A rule that ast-grep cannot express names one of Fairway's own checkers in ``check``, and has no
    language. One whose matches depend on ``fairway.toml`` names in ``unless`` what lets them pass.
    ``allow`` is given to either. ``optional``: it is no finding when none of its files is there.
    """

    id: str
    languages: tuple[Language, ...]
    severity: Severity
    message: str
    why: str
    fix: str
    files: tuple[str, ...]
    ignores: tuple[str, ...]
    document: Mapping[str, Any]
    origin: str
    samples: Samples = Samples()
    check: str = ""
    unless: str = ""
    allow: tuple[str, ...] = ()
    optional: bool = False

    @property
    def language(self) -> str:
        """What its samples and most of its files are written in, as it is told to people."""
        return self.languages[0].names[0] if self.languages else "text"

    @property
    def text(self) -> RuleText:
        """What is said of the rule where its findings are shown."""
        return RuleText(self.id, self.severity, self.message, self.why, self.fix)


@dataclass(frozen=True)
class Ruleset:
    """Rules that are run together, and the utilities (ast-grep's word) that they share."""

    rules: tuple[Rule, ...] = ()
    utilities: tuple[Mapping[str, Any], ...] = ()

    def rule(self, name: str) -> Rule:
        """Return a rule by its id. Raises ``Invalid`` when there is none."""
        for rule in self.rules:
            if rule.id == name:
                return rule
        known = ", ".join(rule.id for rule in self.rules)
        raise Invalid(
            f"there is no rule {name[:80]!r}", why=f"the rules are {known}" if known else "there are no rules"
        )


def places(config: Config) -> dict[str, str]:
    """Return the files that ``fairway.toml`` names, by what a rule's globs call them."""
    return {"compose.file": config.compose.file, "build.dockerfile": config.build.dockerfile}


def preset_names() -> tuple[str, ...]:
    """Return the names of the shipped presets."""
    return tuple(sorted(path.name for path in PRESETS.iterdir() if path.is_dir() and any(path.glob("*.yml"))))


def load(root: Path, directory: str, presets: Iterable[str], places: Mapping[str, str] | None = None) -> Ruleset:
    """Read the presets and the rules of a repository's own directory, which may be missing.

    ``places`` are what a rule's globs may name as ``${compose.file}``: files that ``fairway.toml`` names.
    Raises ``Invalid`` naming the file, for a rule that is incomplete or called like another.
    """
    known = preset_names()
    sources = []
    for name in presets:
        if name not in known:
            raise Invalid(f"there is no preset {name[:60]!r}", why=f"there are {', '.join(known)}")
        sources.append((PRESETS / name, f"preset {name}"))
    sources.append((root / directory, directory))
    rulesets = [read_directory(path, shown) for path, shown in sources if path.is_dir()]
    rules = tuple(_placed(rule, places or {}) for ruleset in rulesets for rule in ruleset.rules)
    utilities = tuple(utility for ruleset in rulesets for utility in ruleset.utilities)
    _refuse_twins([(rule.id, rule.origin) for rule in rules], "rules")
    _refuse_twins([(str(utility.get("id")), "utils") for utility in utilities], "utilities")
    return Ruleset(rules, utilities)


def read_directory(directory: Path, shown: str) -> Ruleset:
    """Read ``*.yml`` (rules), ``utils/*.yml`` and ``tests/*.yml`` (samples) of one directory."""
    samples = _read_samples(directory / "tests", f"{shown}/tests")
    rules = [
        _rule(document, f"{shown}/{file.name}", samples)
        for file in _yaml_files(directory)
        for document in _documents(file, f"{shown}/{file.name}")
    ]
    known = {rule.id for rule in rules}
    for name in samples:
        if name not in known:
            raise Invalid(f"{shown}/tests has samples of {name!r}", why=f"there is no such rule in {shown}")
    utilities = [
        document
        for file in _yaml_files(directory / "utils")
        for document in _documents(file, f"{shown}/utils/{file.name}")
    ]
    return Ruleset(tuple(rules), tuple(utilities))


def _yaml_files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("*.y*ml") if path.suffix in (".yml", ".yaml"))


def _documents(file: Path, shown: str) -> list[dict[str, Any]]:
    """Read the documents of a YAML file as YAML 1.2, which is what ast-grep takes it for."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = file.read_text(encoding="utf-8")
        found = [document for document in YAML(typ="safe", pure=True).load_all(text) if document is not None]
    except UnicodeDecodeError:
        raise Invalid(f"{shown} is not UTF-8 text", hint="save the file as UTF-8") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{shown}, line {mark.line + 1}" if mark is not None else shown
        raise Invalid(f"{where}: not valid YAML", why=str(getattr(error, "problem", "") or error)[:200]) from None
    for document in found:
        if not isinstance(document, dict):
            raise Invalid(f"{shown}: must hold tables", why=f"there is {str(document)[:60]!r}")
    return found


def _rule(document: dict[str, Any], shown: str, samples: Mapping[str, Samples]) -> Rule:
    name = document.get("id")
    if not isinstance(name, str) or not RULE_ID.fullmatch(name):
        raise Invalid(f"{shown}: id must be lower-case letters, digits and '-', not {str(name)[:60]!r}")
    if name in {rule.id for rule in BUILT_IN} or name.startswith("fairway-"):
        raise Invalid(f"{shown}: the id {name!r} is Fairway's own", hint="give the rule another id")
    where = f"{shown}: {name}"
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise Invalid(f"{where}: metadata must be a table")
    severity = document.get("severity", "error")
    if severity not in _SEVERITIES:
        raise Invalid(f"{where}: severity must be one of {', '.join(_SEVERITIES)}, not {str(severity)[:60]!r}")
    check, unless = (_known(document, key, where) for key in ("check", "unless"))
    if check and ("rule" in document or not document.get("files")):
        raise Invalid(f"{where}: check needs files, and has no rule beside it", hint="either check or rule")
    return Rule(
        id=name,
        languages=() if check else _languages(document, where),
        severity=_SEVERITIES[severity],
        message=_text(document, "message", where),
        why=_text(metadata, "why", f"{where}: metadata"),
        fix=_text(document, "note", where),
        files=_globs(document, "files", where),
        ignores=_globs(document, "ignores", where),
        document={key: value for key, value in document.items() if key not in _OWN_KEYS},
        origin=shown,
        samples=samples.get(name, Samples()),
        check=check,
        unless=unless,
        allow=_texts(document, "allow", where),
        optional=metadata.get("optional") is True,
    )


def _known(document: Mapping[str, Any], key: str, where: str) -> str:
    from fairway.guardrails.checkers import CHECKERS, EXCUSES

    known: Iterable[str] = {"check": CHECKERS, "unless": EXCUSES}[key]
    value = document.get(key, "")
    if value and value not in known:
        raise Invalid(f"{where}: there is no {key} {str(value)[:60]!r}", why=f"there are {', '.join(known)}")
    return str(value)


def _placed(rule: Rule, places: Mapping[str, str]) -> Rule:
    """Put the files that ``fairway.toml`` names where the rule's globs speak of them."""

    def place(glob: str) -> str:
        found = _PLACE.fullmatch(glob)
        if found is None:
            return glob
        if found[1] not in places:
            known = ", ".join(f"${{{name}}}" for name in places)
            raise Invalid(f"{rule.origin}: {rule.id}: {glob} is no file of fairway.toml", why=f"there are {known}")
        return places[found[1]]

    limits = {key: [place(glob) for glob in globs] for key in ("files", "ignores") if (globs := getattr(rule, key))}
    document = {**rule.document, **limits}
    return replace(
        rule, document=document, files=tuple(limits.get("files", ())), ignores=tuple(limits.get("ignores", ()))
    )


def _languages(document: Mapping[str, Any], where: str) -> tuple[Language, ...]:
    """Return the rule's language, or each of a list, which says the same in all of them."""
    names = document.get("language")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return tuple(_language(name, where) for name in names)
    return (_language(_text(document, "language", where), where),)


def _text(document: Mapping[str, Any], key: str, where: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{where}: {key} is missing", hint=_KEYS.get(key, ""))
    return value.strip()


def _language(name: str, where: str) -> Language:
    language = find(name)
    if language is None:
        known = ", ".join(language.names[0] for language in LANGUAGES)
        raise Invalid(f"{where}: there are no guardrails for the language {name[:60]!r}", why=f"there are for {known}")
    return language


_KEYS = {
    "message": "say in one line what was found",
    "note": "note says how to write it instead",
    "why": "metadata.why says what goes wrong without the rule",
    "language": "for example TypeScript, Tsx, JavaScript or Python",
}


def _texts(document: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = document.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Invalid(f"{where}: {key} must be a list of strings")
    return tuple(value)


def _globs(document: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    globs = _texts(document, key, where)
    for glob in globs:
        if glob.startswith(("./", "/", "../")):
            raise Invalid(
                f"{where}: {key} has {glob[:60]!r}, which ast-grep finds nowhere", hint="begin at the root: src/**"
            )
    return globs


def _read_samples(directory: Path, shown: str) -> dict[str, Samples]:
    found: dict[str, Samples] = {}
    for file in _yaml_files(directory):
        for document in _documents(file, f"{shown}/{file.name}"):
            where = f"{shown}/{file.name}"
            name = _text(document, "id", where)
            before = found.get(name, Samples())
            invalid, valid = (_texts(document, key, where) for key in ("invalid", "valid"))
            config = _text(document, "config", where) if "config" in document else before.config
            found[name] = Samples(before.invalid + invalid, before.valid + valid, config)
    return found


def _refuse_twins(named: Sequence[tuple[str, str]], what: str) -> None:
    seen: dict[str, str] = {}
    for name, origin in named:
        if name in seen:
            raise Invalid(f"two {what} are called {name!r}", why=f"in {seen[name]} and in {origin}")
        seen[name] = origin
