"""The database's backups: taken, listed, checked, put back, removed, tried and copied."""

from __future__ import annotations

from typing import Any

from fairway.engine.backups import actions, routine
from fairway.engine.contract.protocol import Operation
from fairway.engine.notifications.spawning import telling
from fairway.engine.operations import Answer, Call


def _telling(answer: Answer) -> Answer:
    """Have people told afterwards of what a client's wish has left on the record."""

    def answer_and_tell(call: Call) -> dict[str, Any]:
        with telling(call.layout):
            return answer(call)

    return answer_and_tell


OPERATIONS: dict[Operation, Answer] = {
    Operation.BACKUP_CREATE: _telling(lambda call: actions.create(call.layout, call.host(), call.args, call.tell)),
    Operation.BACKUP_LIST: lambda call: actions.show(call.layout, call.host(), call.args),
    Operation.BACKUP_VERIFY: lambda call: actions.verify(call.layout, call.host(), call.args, call.tell),
    Operation.BACKUP_RESTORE: _telling(lambda call: actions.restore(call.layout, call.host(), call.args, call.tell)),
    Operation.BACKUP_PRUNE: lambda call: actions.prune(call.layout, call.host(), call.args),
    Operation.BACKUP_DROP_OLD: lambda call: actions.drop_old(call.layout, call.host(), call.args),
    Operation.BACKUP_DRILL: _telling(lambda call: routine.run_drill(call.layout, call.host(), call.args, call.tell)),
    Operation.BACKUP_COPY: _telling(lambda call: routine.run_copy(call.layout, call.host(), call.args, call.tell)),
}
