"""The types of the values in ``fairway.toml``: what a key takes, and what is said of anything else."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from fairway.config import checks
from fairway.config.hosts import Host, parse_host
from fairway.config.requires import requirement
from fairway.engine.backups.schedule import Schedule
from fairway.engine.backups.upkeep import target
from fairway.engine.contract.environment import EQUALS
from fairway.engine.contract.leftovers import column_name, key_name, table_name
from fairway.engine.contract.manifest import bundle_path, migration_path
from fairway.engine.contract.names import Repository, project_name
from fairway.engine.contract.tracker import slug, tracker_url
from fairway.engine.contract.trust import DAYS
from fairway.engine.contract.trust import key_name as trusted_key_name
from fairway.engine.groundwork.wish import ACME_SERVER, EMAIL, PLAIN_PATH, SITE_NAME
from fairway.engine.hostconfig import recipient


class Table(BaseModel):
    """A table of the file: no key that it does not know, no value of another type, no change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _text(check: Any) -> PlainValidator:
    """Validate a string with one of the checks, whatever type the check returns."""

    def validate(value: Any) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be a string")
        return check(value)

    return PlainValidator(validate, json_schema_input_type=str)


def _port(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("port_type", 'must be a port, or a string like "127.0.0.1:3000"')
    return checks.published_port(value)


def _listed(value: Any) -> Any:
    """Take TOML's lists for tuples, which strict validation would not, and no value twice."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item in value[:index]:
                raise PydanticCustomError("twice", "lists {item} twice", {"item": repr(item)[:60]})
        return tuple(value)
    return value


def _program(value: Any) -> str | tuple[str, ...]:
    """Take a string for a script, and a list for a program and its arguments."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and value and value[0] and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise PydanticCustomError("program", 'must be a script, or a program and its arguments like ["pnpm", "test"]')


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
ImageRepository = Annotated[Repository, _text(checks.repository)]
ProjectName = Annotated[str, _text(checks.told(project_name))]
BundlePath = Annotated[str, _text(checks.told(bundle_path))]
ServiceName = Annotated[str, _text(checks.matching(_NAME, "a Compose service name"))]
StageName = Annotated[str, _text(checks.matching(_NAME, "a stage of the Dockerfile"))]
ArgumentName = Annotated[str, _text(checks.matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a build argument's name"))]
VariableName = Annotated[str, _text(checks.matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a variable's name"))]
PrefixName = Annotated[str, _text(checks.matching(r"[A-Z][A-Z0-9_]{0,62}", "upper-case letters, digits and '_'"))]
EnvironmentName = Annotated[
    str,
    _text(checks.matching(r"[a-z][a-z0-9-]{0,40}", "an environment name: lower-case letters, digits and '-'")),
]
ImageReference = Annotated[str, _text(checks.matching(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}", "an image reference"))]
Recipient = Annotated[str, _text(checks.told(recipient))]
WhenDue = Annotated[str, _text(checks.told(lambda text: Schedule(text).text))]
CopyTarget = Annotated[str, _text(checks.told(target))]
UrlPath = Annotated[str, _text(checks.matching(r"/[A-Za-z0-9._~/%?=&-]{0,254}", "a path that starts with '/'"))]
RelativePath = Annotated[
    str,
    _text(checks.matching(r"(?!/)[^\x00-\x1f\x7f]{1,1000}", "a path relative to fairway.toml")),
]
FileGlob = Annotated[
    str, _text(checks.matching(r"(?![/:!])[^\x00-\x1f\x7f]{1,1000}", "a glob relative to fairway.toml, like src/**"))
]
CiStageName = Annotated[
    str, _text(checks.matching(r"[a-z0-9][a-z0-9_-]{0,30}", "a stage's name: lower-case letters, digits, '-' and '_'"))
]
Program = Annotated[str | tuple[str, ...], PlainValidator(_program, json_schema_input_type=str | list[str])]
PresetName = Annotated[str, _text(checks.matching(_NAME, "a preset's name"))]
MigrationsPath = Annotated[str, _text(checks.told(migration_path))]
TableName = Annotated[str, _text(checks.told(table_name))]
ColumnName = Annotated[str, _text(checks.told(column_name))]
LeftoverKey = Annotated[str, _text(checks.told(key_name))]
DeployPath = Annotated[str, _text(checks.deploy_path)]
PublishedPort = Annotated[str, PlainValidator(_port, json_schema_input_type=int | str)]
HostEntry = Annotated[Host, _text(parse_host)]
SiteName = Annotated[str, _text(checks.matching(SITE_NAME.pattern, "a host name in lower case, like www.example.com"))]
PlainPath = Annotated[str, _text(checks.matching(PLAIN_PATH.pattern, "an absolute path of plain characters"))]
Email = Annotated[str, _text(checks.matching(EMAIL.pattern, "an address for mail"))]
AcmeServer = Annotated[str, _text(checks.matching(ACME_SERVER.pattern, "a URL like https://ca.example.com/directory"))]
Requirement = Annotated[str, _text(requirement)]
TrackerUrl = Annotated[str, _text(checks.told(tracker_url))]
TrackerSlug = Annotated[str, _text(checks.told(slug))]
UserName = Annotated[str, _text(checks.matching(checks.USER, "a user name"))]
KeyName = Annotated[str, _text(checks.told(trusted_key_name))]
Decider = Annotated[str, _text(checks.matching(EQUALS.pattern, "one line of at most 200 characters without a quote"))]
AgeRecipient = Annotated[str, _text(checks.matching(checks.AGE_RECIPIENT, "an age recipient or an SSH public key"))]
Allowance = Annotated[str, _text(checks.allowance)]
Day = Annotated[str, _text(checks.matching("|".join(DAYS), f"one of {', '.join(DAYS)}"))]
TimeOfDay = Annotated[
    str, _text(checks.matching(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", 'a time of day like "16:00"'))
]
TimeZone = Annotated[str, _text(checks.time_zone)]
Argument = Annotated[str, _text(checks.matching(r"[^\x00-\x1f\x7f]{1,1000}", "one line of 1 to 1000 characters"))]
Percentage = Annotated[int, Field(ge=1, le=99)]
Listed = BeforeValidator(_listed)
