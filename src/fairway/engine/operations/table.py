"""Which module answers what; it is imported when the first of its operations is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from fairway.engine.contract.protocol import Operation
from fairway.engine.operations import Answer, Call

Table = Mapping[Operation, Answer]


def _backups() -> Table:
    from fairway.engine.operations.backups import OPERATIONS

    return OPERATIONS


def _proof() -> Table:
    from fairway.engine.operations.proof import OPERATIONS

    return OPERATIONS


def _settings() -> Table:
    from fairway.engine.operations.settings import OPERATIONS

    return OPERATIONS


def _groundwork() -> Table:
    from fairway.engine.operations.groundwork import OPERATIONS

    return OPERATIONS


def _metrics() -> Table:
    from fairway.engine.operations.metrics import OPERATIONS

    return OPERATIONS


def _notifications() -> Table:
    from fairway.engine.operations.notifications import OPERATIONS

    return OPERATIONS


def _edge() -> Table:
    from fairway.engine.operations.edge import OPERATIONS

    return OPERATIONS


def _rehearsal() -> Table:
    from fairway.engine.operations.rehearsal import OPERATIONS

    return OPERATIONS


def _uptime() -> Table:
    from fairway.engine.operations.uptime import OPERATIONS

    return OPERATIONS


def _later(table: Callable[[], Table], operation: Operation) -> Answer:
    def answer(call: Call) -> dict[str, Any]:
        return table()[operation](call)

    return answer


TABLES: Mapping[Operation, Callable[[], Table]] = {
    Operation.BACKUP_CREATE: _backups,
    Operation.BACKUP_LIST: _backups,
    Operation.BACKUP_VERIFY: _backups,
    Operation.BACKUP_RESTORE: _backups,
    Operation.BACKUP_PRUNE: _backups,
    Operation.BACKUP_DROP_OLD: _backups,
    Operation.BACKUP_DRILL: _backups,
    Operation.BACKUP_COPY: _backups,
    Operation.EVIDENCE: _proof,
    Operation.JUDGE: _proof,
    Operation.GATE: _proof,
    Operation.ENV: _settings,
    Operation.SEALED_ENV: _settings,
    Operation.SET_SEALED_ENV: _settings,
    Operation.COMPARE_ENV: _settings,
    Operation.SECRETS_SCAN: _settings,
    Operation.SECRETS_CLEAR: _settings,
    Operation.GROUND: _groundwork,
    Operation.PREPARE: _groundwork,
    Operation.METRICS: _metrics,
    Operation.UPTIME: _uptime,
    Operation.NOTIFY_LIST: _notifications,
    Operation.NOTIFY_TEST: _notifications,
    Operation.EDGE_FIGURES: _edge,
    Operation.REHEARSE: _rehearsal,
}
ANSWERS: Mapping[Operation, Answer] = {operation: _later(table, operation) for operation, table in TABLES.items()}
