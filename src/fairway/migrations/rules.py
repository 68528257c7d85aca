"""The rules that a verdict on SQL is taken by: a stable name, a reason, and the safe way.

A statement that no rule knows is ``not-listed``, which is a REVIEW: the list is closed.
"""

from __future__ import annotations

from dataclasses import dataclass

from fairway.engine.contract.manifest import Verdict

_TWO = "in the first release stop using it, in the next, when the first is everywhere, do this"


@dataclass(frozen=True)
class Rule:
    """What decides on a kind of statement."""

    id: str
    verdict: Verdict
    reason: str
    safe_way: str = ""


def _expand(name: str, reason: str) -> Rule:
    return Rule(name, Verdict.EXPAND, reason)


def _contract(name: str, reason: str, safe_way: str) -> Rule:
    return Rule(name, Verdict.CONTRACT, reason, safe_way)


def _review(name: str, reason: str, safe_way: str = "") -> Rule:
    return Rule(name, Verdict.REVIEW, reason, safe_way or "look at what it does to the release before it, and say so")


# What adds, and takes nothing away.
CREATE_TABLE = _expand("create-table", "the previous release does not know the table")
CREATE_OBJECT = _expand("create-object", "the previous release does not know what is made here")
ADD_COLUMN = _expand("add-column", "the previous release's rows get a value without its naming the column")
CREATE_INDEX = _expand("create-index", "an index changes how rows are found, not which")
NEW_OBJECT = _expand("new-object", "what it changes was made in this same migration")
NEW_COLUMN = _expand("new-column", "the column was added in this same migration")
LOOSE_UNIQUE = _expand("unique-on-empty-column", "the previous release leaves the new columns NULL, and NULLs differ")
SAFE_REFERENCE = _expand("reference-that-yields", "the previous release's rows can still be deleted")
STORAGE = _expand("storage-setting", "it changes how rows are kept, not what they are")
VALIDATE = _expand("validate-constraint", "the constraint holds for new rows already")
GRANT = _expand("grant", "it gives rights and takes none")
COMMENT = _expand("comment", "a comment changes no data")
SESSION = _expand("session-setting", "it concerns this migration's own session")
TRANSACTION = _expand("transaction", "it only brackets the migration")
CONSTANT_SELECT = _expand("constant-select", "it reads no table and calls nothing that writes")
MAINTENANCE = _expand("maintenance", "it changes no row")
EXTENSION = _expand("create-extension", "a known extension that only adds")
PARTITION = _expand("create-partition", "the parent takes more rows than before")

# What takes away, or demands more.
DROP = _contract("drop", "the previous release still uses it", _TWO)
DROP_COLUMN = _contract("drop-column", "the previous release still names the column", _TWO)
RENAME = _contract(
    "rename",
    "the previous release still uses the old name",
    "add the new one beside it, write both, move the readers, and drop the old one two releases on",
)
CHANGE_TYPE = _contract(
    "change-type",
    "the previous release reads and writes the old type",
    "add a column of the new type, write both, move the readers, and drop the old one two releases on",
)
ADD_REQUIRED_COLUMN = _contract(
    "add-required-column",
    "the previous release inserts rows without the column, which has no default",
    "add it nullable or with a default; set NOT NULL when every running release fills it",
)
ADD_CONSTRAINT = _contract(
    "add-constraint",
    "rows that the previous release writes may be refused; NOT VALID spares only the rows that are there",
    "let this release write only what will be allowed, and add the constraint in the next",
)
UNIQUE_INDEX = _contract(
    "unique-index",
    "rows that the previous release writes may be refused, however the index is built",
    "let this release write no duplicates, and add the index in the next",
)
UNIQUE_DEFAULT = _contract(
    "unique-with-default",
    "every row of the previous release gets the same default, and the second is refused",
    "add the column without a default and not unique, fill it in this release, and make it unique in the next",
)
SET_NOT_NULL = _contract(
    "set-not-null",
    "the previous release may still write NULL",
    "let this release always write a value, and set NOT NULL in the next",
)
CHANGE_GENERATION = _contract(
    "change-generation",
    "the previous release relies on how the column gets its values",
    "add another column, and move to it over two releases",
)
CHANGE_ROWS = _contract(
    "change-rows",
    "the previous release finds its own rows changed",
    "write the new values to a new column, and leave the old one as it is for a release",
)
DELETE_ROWS = _contract("delete-rows", "the previous release misses rows that it had", _TWO)
ROW_SECURITY = _contract(
    "row-security",
    "rows are hidden from the previous release, which sets nothing to see them by",
    "let this release set what the policies ask for, and turn row security on in the next",
)
DETACH = _contract("detach-partition", "rows are gone from the table that the previous release asks", _TWO)

# What the text alone cannot tell.
NOT_LISTED = _review("not-listed", "no rule knows this statement")
UNREADABLE = _review("unreadable", "PostgreSQL's parser cannot read the text", "judge the SQL that is really run")
CODE = _review("code", "it is code, which may do anything when it is run")
CALLS = _review("calls-function", "it calls a function that is not known to change nothing")
CREATE_SCHEMA = _review(
    "create-schema", "a schema may come first on the search path, and hide the tables that the previous release means"
)
OTHER_SCHEMA = _review(
    "other-schema", "what is made in another schema may hide something of that name from the previous release"
)
REPLACE_VIEW = _review("replace-view", "the previous release may read the view, which may mean something else now")
REFERENCE = _review(
    "reference-that-holds",
    "rows of the next release stop the previous one from deleting or re-keying the rows they point to",
    "say ON DELETE CASCADE or SET NULL (and ON UPDATE CASCADE for a key that changes), "
    "or say that the previous release never deletes those rows",
)
NEW_UNIQUE = _review("unique-on-new-column", "whether the previous release's rows are refused cannot be told")
COLUMN_TYPE = _review(
    "column-type", "the type may be a domain, which can refuse the rows that the previous release inserts"
)
COLUMN_DEFAULT = _review("column-default", "the default may fail, or need a right, in the previous release's hands")
COLUMN_CHECK = _review("column-check", "the check may refuse the rows that the previous release inserts")
COLUMN_EXPRESSION = _review("column-expression", "the expression may fail on the previous release's rows")
INDEX_EXPRESSION = _review("index-expression", "the expression may fail on the previous release's rows")
INDEX_METHOD = _review("index-method", "this kind of index may refuse the previous release's rows")
WIDEN_TEXT = _review(
    "change-text-length",
    "the text does not tell whether the type gets wider or narrower",
    "say that it gets wider, and that the previous release can read the longer values",
)
DROP_NOT_NULL = _review(
    "drop-not-null",
    "the previous release may read a NULL where there never was one",
    "let no NULL be written before the previous release copes with it",
)
CHANGE_DEFAULT = _review("change-default", "rows that the previous release inserts may get another value, or none")
DROP_CONSTRAINT = _review("drop-constraint", "the previous release may rely on it: ON CONFLICT, a cascade, a promise")
DROP_INDEX = _review("drop-index", "the index may be unique, which ON CONFLICT relies on, or what makes a query quick")
ENUM_VALUE = _review("enum-value", "the previous release may read a value that it does not know")
IDENTITY = _review("identity", "which values the previous release may write to the column changes")
INSERT_ROWS = _review("insert-rows", "the previous release finds rows that it did not write, or their keys taken")
BACKFILL = _review(
    "backfill",
    "it may fire triggers that change what the previous release reads, and holds its rows' locks",
    "fill the column in batches from the release itself",
)
MERGE = _review("merge", "it may change rows of the previous release")
OWNER = _review("owner", "the previous release's role may lose its rights")
REVOKE = _review("revoke", "the previous release's role may lose a right that it needs")
POLICY = _review("policy", "which rows the previous release sees or writes may change")
ATTACH = _review("attach", "rows come into a table that the previous release asks, or a bound onto one it writes")
NAME_IN_USE = _review("rename-detail", "the previous release may know the name from ON CONFLICT or an error")
SEQUENCE = _review("alter-sequence", "the previous release may be given numbers that are taken")
REPLICATION = _review("replication", "an update or delete of the previous release may be refused")
LIMIT = _review(
    "lifts-limit",
    "without the limit that the migrator was given, whoever needs the table waits behind this migration",
    "keep lock_timeout (at most a minute) and statement_timeout (at most an hour); take what is long in small parts",
)
SETTING = _review("other-setting", "the setting may change what the statements after it mean")
TRANSACTION_ODD = _review("transaction-oddity", "what of the migration is kept cannot be told from its text")
RIGHTS = _review("rights", "which objects the previous release's role reaches may change")
REFRESH = _review("refresh", "the previous release finds other rows in the view")

RULES: tuple[Rule, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
