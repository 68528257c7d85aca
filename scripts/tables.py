"""Put a table that is made from the code into the page that shows it."""

from __future__ import annotations

from pathlib import Path

PAGES = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- written by make docs -->", "<!-- to here -->"


def rewritten(text: str, table: str) -> str:
    """Return a page's text with the table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def rewrite(page: Path, table: str) -> None:
    """Put the table into the page."""
    page.write_text(rewritten(page.read_text(encoding="utf-8"), table), encoding="utf-8")
