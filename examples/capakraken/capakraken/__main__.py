"""``python -m capakraken serve | migrate | work``."""

from __future__ import annotations

import sys

from capakraken.errors import report_errors
from capakraken.settings import SettingsError, read_settings


def main() -> int:
    """Run one of the three programs of this image."""
    programs = {"serve", "migrate", "work"}
    if len(sys.argv) != 2 or sys.argv[1] not in programs:
        print(f"usage: python -m capakraken {' | '.join(sorted(programs))}", file=sys.stderr)
        return 2
    try:
        settings = read_settings()
    except SettingsError as error:
        print(f"capakraken: {error}", file=sys.stderr)
        return 2
    report_errors(settings)
    if sys.argv[1] == "migrate":
        from capakraken.migrate import migrate

        return migrate(settings)
    if sys.argv[1] == "work":
        from capakraken.worker import work

        return work(settings)
    from capakraken.app import serve

    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
