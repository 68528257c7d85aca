"""What a migration has made so far: what no release before it can know of."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairway.migrations.trees import Name


@dataclass
class Column:
    """A column that the migration has added: what a row gets that does not name it.

    ``pinned`` columns must be able to become NULL, because a reference sets them so.
    """

    nullable: bool
    default: bool
    pinned: bool = False

    @property
    def left_null(self) -> bool:
        """Whether rows that do not name it have NULL in it."""
        return self.nullable and not self.default


@dataclass(frozen=True)
class Reference:
    """A foreign key. ``yields``: deleting or re-keying what it points to is never refused for it."""

    source: Name
    target: Name
    yields: bool


@dataclass
class Made:
    """The tables, other objects and columns of existing tables that the statements so far have made."""

    tables: dict[Name, dict[str, Column]] = field(default_factory=dict)
    #: Views are here and not among the tables: what is written to one goes to the table below it.
    others: dict[Name, str] = field(default_factory=dict)
    types: set[Name] = field(default_factory=set)
    columns: dict[tuple[Name, str], Column] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    #: Tables made here that have a condition which a NULL may not meet.
    strict: set[Name] = field(default_factory=set)

    def forget(self, name: Name) -> None:
        """Take a relation off the list: it is gone, or has another name."""
        self.tables.pop(name, None)
        self.others.pop(name, None)
        self.references = [one for one in self.references if one.source != name]
        for key in [key for key in self.columns if key[0] == name]:
            del self.columns[key]

    def column(self, table: Name, name: str) -> Column | None:
        """Return a column that was added here, of a new table or of one that was there."""
        return self.tables.get(table, {}).get(name) or self.columns.get((table, name))

    def rename(self, old: Name, new: Name) -> None:
        """Note that a relation made here has another name now."""
        if old in self.tables:
            self.tables[new] = self.tables.pop(old)
            self.strict |= {new} if old in self.strict else set()
        if old in self.others:
            self.others[new] = self.others.pop(old)
        self.references = [
            Reference(new if one.source == old else one.source, new if one.target == old else one.target, one.yields)
            for one in self.references
        ]

    def refer(self, reference: Reference) -> bool:
        """Note a foreign key; return whether it leaves every row free to go that was so before.

        A deletion travels: from a table that was there along each reference to new tables, and is
        refused by the first that does not yield.
        """
        before = self._holding()
        self.references.append(reference)
        return self._holding() == before

    def _holding(self) -> int:
        """Return how many references may refuse what the previous release deletes."""
        reached: set[Name] = set()
        while True:
            more = {
                one.source
                for one in self.references
                if one.source in self.tables and (one.target not in self.tables or one.target in reached)
            } - reached
            if not more:
                break
            reached |= more
        return sum(not one.yields for one in self.references if one.target not in self.tables or one.target in reached)
