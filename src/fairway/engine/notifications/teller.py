"""Tell what happened: started by whatever wrote it down, detached, one at a time, in nobody's way.

Whenever it is killed, the outbox says what is still to be told. A message is taken out of
it after apprise has said that it was sent: a teller that is killed between the two sends
that one again, and nothing else makes a message come twice.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.layout import Layout
from fairway.engine.notifications import apprise, sources
from fairway.engine.notifications.addresses import Addresses, try_addresses
from fairway.engine.notifications.happenings import of_change, of_record
from fairway.engine.notifications.outbox import Letter, Outbox, Trouble, begin, forget, read_outbox
from fairway.engine.notifications.queueing import queue, queue_summaries, summary_due_at, tidy
from fairway.engine.notifications.receivers import Notifications

#: How long to wait after a failure; after the last of them, always that.
PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
#: After this a message is given up.
GIVE_UP_S = 24 * 3600.0
# What fails again and again is put behind the others: it may be the message that is not taken.
_PATIENT_TRIES = 3
# How long a teller stays for a receiver that is away; afterwards the next occasion tries again.
_STAY_S = 900.0


def settle_receivers(layout: Layout, host: HostConfig) -> None:
    """Begin to tell from this moment on, where somebody is to be told; otherwise forget how far that had come."""
    if host.notifications is None:
        forget(layout)
    else:
        begin(layout)


def tell(layout: Layout, *, once: bool) -> None:
    """Tell what is to be told; stay for a while for what could not be, unless ``once``."""
    layout.notifications.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as turn:
        with _locked(layout.notifications / "waiting.lock", wait=False) as first:
            if not first:
                return  # whoever waits already looks later than now
            turn.enter_context(_locked(layout.notifications / "teller.lock", wait=True))
        due = _tell_now(layout)
    if not once:
        _stay(layout, due)


def reached(layout: Layout, keys: Iterable[str]) -> None:
    """Note that receivers can be reached again: what waits for them is not left to wait for longer."""
    with _locked(layout.notifications / "teller.lock", wait=True):
        outbox = read_outbox(layout)
        if outbox is None or not outbox.troubles:
            return
        for key in keys:
            if key in outbox.troubles:
                outbox.troubles[key].next_at = 0.0
        outbox.write(layout)


def _stay(layout: Layout, due: float | None) -> None:
    with _locked(layout.notifications / "staying.lock", wait=False) as alone:
        until = _now() + _STAY_S
        while alone and due is not None and due < until:
            clock.sleep(max(0.0, due - _now()) + 0.05)
            with _locked(layout.notifications / "teller.lock", wait=True):
                due = _tell_now(layout)


def _tell_now(layout: Layout) -> float | None:
    """Read what is new, send what is due; return when something is due again, None when nothing waits."""
    host = read_host_config(layout.host_config)
    if host.notifications is None:
        return None
    outbox = begin(layout)
    addresses = try_addresses(layout, host.notifications)
    if isinstance(addresses, FairwayError):
        # Without the secrets nothing can be kept out of a message, so none is made.
        for key in host.notifications.keys:
            _fail(outbox, key, apprise.why(addresses))
            outbox.troubles[key].next_at = 0.0  # it is not the receiver that is away
        outbox.write(layout)
        return None
    gather(layout, host, host.notifications, outbox, addresses)
    outbox.write(layout)
    for letter in due_letters(outbox, _now()):
        if not _is_away(outbox, letter.to, _now()):  # one that it could not send before may just have shown that
            _send(layout, outbox, addresses, letter)
            outbox.write(layout)
    return next_due(outbox, host.notifications)


def gather(layout: Layout, host: HostConfig, config: Notifications, outbox: Outbox, addresses: Addresses) -> None:
    """Put everything that is new into the outbox, and the cursor behind it."""
    now, clean = _now(), addresses.clean
    entries, outbox.cursor = sources.new_entries(layout, outbox.cursor)
    changes, outbox.cursor = sources.new_changes(layout, outbox.cursor)
    found = [of_record(entry, host.environment) for entry in entries]
    found += [of_change(change, host.environment) for change in changes]
    for happening in sorted((one for one in found if one is not None), key=lambda one: one.at):
        queue(outbox, happening, config, host.project, clean, now)
    queue_summaries(outbox, config, host.project, now)
    tidy(outbox, config, now)


def due_letters(outbox: Outbox, now: float) -> list[Letter]:
    """Return what may be sent, in the order in which it is tried."""
    waiting = [letter for letter in outbox.letters if not _is_away(outbox, letter.to, now)]
    return sorted(waiting, key=lambda letter: (letter.tries // _PATIENT_TRIES, letter.id))


def next_due(outbox: Outbox, config: Notifications) -> float | None:
    """Return when something can be tried again, or told of what was held back."""
    times = [outbox.troubles[letter.to].next_at for letter in outbox.letters if letter.to in outbox.troubles]
    summary = summary_due_at(outbox, config)
    return min([*times, *([summary] if summary is not None else [])], default=None)


def _is_away(outbox: Outbox, key: str, now: float) -> bool:
    """Say whether a receiver is not to be tried yet; a clock that was put back makes nobody wait for longer."""
    trouble = outbox.troubles.get(key)
    return trouble is not None and 0 < trouble.next_at - now <= PAUSES_S[-1]


def _send(layout: Layout, outbox: Outbox, addresses: Addresses, letter: Letter) -> None:
    letter.tries += 1
    try:
        # Once more: what was a secret when it was put down may be another one by now.
        title, body = addresses.clean(letter.title), addresses.clean(letter.body)
        home = layout.notifications / "apprise"
        apprise.send(addresses, letter.to, kind=letter.kind, title=title, body=body, home=home)
    except (FairwayError, OSError) as error:
        reason = apprise.why(error) if isinstance(error, FairwayError) else str(error.strerror)
        _fail(outbox, letter.to, reason)
        print(f"{clock.now()} {reason}", file=sys.stderr, flush=True)
        if _now() - letter.queued_at > GIVE_UP_S:
            outbox.letters.remove(letter)
            outbox.troubles[letter.to].lost += 1
    else:
        outbox.troubles.pop(letter.to, None)
        outbox.note_told(letter, clock.now())


def _fail(outbox: Outbox, key: str, reason: str) -> None:
    trouble = outbox.troubles.setdefault(key, Trouble(clock.now(), reason))
    trouble.why = reason
    trouble.next_at = _now() + PAUSES_S[min(trouble.tries, len(PAUSES_S) - 1)]
    trouble.tries += 1


def _now() -> float:
    return clock.parse(clock.now()).timestamp()


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock of the kernel's, which no process outlives; without ``wait`` say whether it was free."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
