"""The ``fairway`` command."""

from __future__ import annotations

import sys

from fairway import __version__


def main() -> None:
    """Run the command line and exit with the documented code."""
    if sys.argv[1:] == ["--version"]:
        # Scripts ask for it often: answered before anything heavy is imported.
        print(f"fairway {__version__}")
        return
    from fairway.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()
