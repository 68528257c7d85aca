"""The releases a host could go back to, as a table: each with what it would cost or what stands in its way."""

from __future__ import annotations

from typing import Any

from fairway.cli.output import print_table


def show_rollbacks(rows: list[dict[str, Any]]) -> None:
    """Print the table, and below it what stands in the way of each that cannot be gone back to."""
    print_table(("go back to", "served (UTC)", "slot", "image", "about", "schema"), map(_row, rows))
    for row in rows:
        for line in str(row["why"]).splitlines() if not row["possible"] else ():
            print(f"{str(row['tag'])[:11]}: {line}")


def floor_words(floor: str | None, rows: list[dict[str, Any]]) -> str:
    """Say how far back it is possible to go."""
    if floor:
        return f"the oldest release that can be gone back to: {floor[:11]}"
    checked = any((row.get("schema") or {}).get("checked") for row in rows)
    return "no release here can be gone back to" if checked else "how far back is safe is not known: no migrations.kind"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    tag, served = str(row["tag"])[:11], str(row["served_at"])[:19].replace("T", " ")
    schema = row.get("schema") or {}
    if not row["possible"]:
        return (tag, served, "", "", "not possible", _in_the_way(schema))
    image = "here" if row["image"] else "to be pulled"
    slot = "warm" if row["warm"] else "cold"
    return (tag, served, slot, image, f"{row['seconds']:.1f} s", "fits" if schema.get("checked") else "not checked")


def _in_the_way(schema: dict[str, Any]) -> str:
    reasons = dict.fromkeys(str(one["reason"]) for one in schema.get("obstacles", ()))
    return ", ".join(reasons)
