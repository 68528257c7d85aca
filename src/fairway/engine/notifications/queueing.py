"""From what happened to what is waiting to be sent: who wants it, and how much of it they get."""

from __future__ import annotations

from dataclasses import replace

from fairway.engine.notifications import limits
from fairway.engine.notifications.happenings import Happening
from fairway.engine.notifications.outbox import MAX_WAITING, Letter, Outbox, Trouble
from fairway.engine.notifications.receivers import Event, Notifications, Receiver
from fairway.engine.notifications.wording import Clean, Message, message, moment, titled


def queue(outbox: Outbox, happening: Happening, config: Notifications, project: str, clean: Clean, now: float) -> None:
    """Put what happened into the outbox for everybody who wants it, within what they get in an hour."""
    if happening.once and outbox.came_before(happening.once):
        return
    told = message(happening, project, clean)
    for receiver in config.receivers:
        if happening.event not in receiver.events:
            continue
        name = _name(receiver, told.event, told.environment)
        bucket = limits.filled(outbox.buckets.get(name), now, receiver.at_most)
        taken = limits.take(bucket)
        if taken is None:
            outbox.buckets[name] = limits.hold(bucket, happening.at, told.title)
        else:
            outbox.buckets[name] = taken
            _add(outbox, receiver.url_key, told, now)


def queue_summaries(outbox: Outbox, config: Notifications, project: str, now: float) -> None:
    """Say of what was held back how much it was, as soon as the receiver may get a message again."""
    for receiver in config.receivers:
        for event in Event:
            for name in [name for name in outbox.buckets if name.startswith(f"{receiver.url_key} {event.value} ")]:
                bucket = limits.filled(outbox.buckets[name], now, receiver.at_most)
                taken = limits.take(bucket) if bucket.held else None
                if taken is not None:
                    environment = name.split(" ", 2)[2]
                    _add(outbox, receiver.url_key, _summary(bucket, event, environment, project, receiver), now)
                    outbox.buckets[name] = limits.released(taken)


def tidy(outbox: Outbox, config: Notifications, now: float) -> None:
    """Drop what is of no use any more: receivers that are gone, full buckets, what is too much to wait."""
    keys = set(config.keys)
    outbox.letters = [letter for letter in outbox.letters if letter.to in keys]
    waited_for = {letter.to for letter in outbox.letters}
    outbox.troubles = {
        key: trouble for key, trouble in outbox.troubles.items() if key in keys and (trouble.lost or key in waited_for)
    }
    most = {receiver.url_key: receiver.at_most for receiver in config.receivers}
    outbox.buckets = {
        name: bucket
        for name, bucket in outbox.buckets.items()
        if (key := name.split(" ", 1)[0]) in keys
        and (bucket.held or limits.filled(bucket, now, most[key]).tokens < most[key])
    }
    while len(outbox.letters) > MAX_WAITING:
        lost = outbox.letters.pop(0)
        trouble = outbox.troubles.setdefault(lost.to, Trouble(lost.at, "too many messages wait"))
        outbox.troubles[lost.to] = replace(trouble, lost=trouble.lost + 1)


def summary_due_at(outbox: Outbox, config: Notifications) -> float | None:
    """Return when the next summary of what was held back may be sent."""
    most = {receiver.url_key: receiver.at_most for receiver in config.receivers}
    times = [
        limits.free_at(bucket, most[key])
        for name, bucket in outbox.buckets.items()
        if bucket.held and (key := name.split(" ", 1)[0]) in most
    ]
    return min(times, default=None)


def _add(outbox: Outbox, key: str, told: Message, now: float) -> None:
    outbox.letters.append(
        Letter(
            id=outbox.next_id,
            to=key,
            event=told.event.value,
            environment=told.environment,
            at=told.at,
            kind=told.kind,
            title=told.title,
            body=told.body,
            queued_at=now,
        )
    )
    outbox.next_id += 1


def _summary(bucket: limits.Bucket, event: Event, environment: str, project: str, receiver: Receiver) -> Message:
    more = f"{bucket.held} more like it" if bucket.held > 1 else "one more like it"
    body = (
        f"Held back since {moment(bucket.since)}: {bucket.held}; at most {receiver.at_most} of a kind are sent an hour"
        f"\nThe last of them: {bucket.last}\nNext: fairway history {environment}"
    )
    return Message(
        event, environment, bucket.since, "warning", titled(project, environment, f"{event.value}: {more}"), body
    )


def _name(receiver: Receiver, event: Event, environment: str) -> str:
    return f"{receiver.url_key} {event.value} {environment}"
