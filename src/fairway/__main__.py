"""The ``fairway`` command."""

from __future__ import annotations

import signal
import sys

from fairway import __version__


def main() -> None:
    """Run the command line and exit with the documented code."""
    if sys.argv[1:] == ["--version"]:
        # Scripts ask for it often: answered before anything heavy is imported.
        print(f"fairway {__version__}")
        return
    end_on_signals()
    from fairway.cli.app import run

    sys.exit(run())


def end_on_signals() -> None:
    """Take a signal to end for an exit, so that what is to be removed at the exit is: a file with a key to the hosts.

    A signal that this process was started to ignore, as by nohup, stays ignored. What handles
    them in its own way, such as a deployment, does so while it lasts.
    """

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


if __name__ == "__main__":
    main()
