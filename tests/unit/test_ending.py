"""However the command line is asked to end, what it has to remove is removed."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_PROGRAM = """
import atexit, signal, time
from fairway.__main__ import end_on_signals
{before}
end_on_signals()
atexit.register(print, "tidied up")
print("up", flush=True)
# A signal that comes just before signal.pause() would not end that.
while True:
    time.sleep(0.05)
"""


def _started(before: str = "") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _PROGRAM.format(before=before)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_removed_at_the_end_is_removed_when_it_is_asked_to_end(number: signal.Signals) -> None:
    process = _started()
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert (process.returncode, said) == (128 + number, "tidied up\n")


def test_a_signal_that_is_to_be_ignored_still_is() -> None:
    process = _started("signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
