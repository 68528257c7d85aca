"""The database's backups: taken, listed, checked, put back, removed, tried and copied."""

from __future__ import annotations

from fairway.engine.backups import actions, routine
from fairway.engine.contract.protocol import Operation
from fairway.engine.operations import Answer

OPERATIONS: dict[Operation, Answer] = {
    Operation.BACKUP_CREATE: lambda call: actions.create(call.layout, call.host(), call.args, call.tell),
    Operation.BACKUP_LIST: lambda call: actions.show(call.layout, call.host(), call.args),
    Operation.BACKUP_VERIFY: lambda call: actions.verify(call.layout, call.host(), call.args, call.tell),
    Operation.BACKUP_RESTORE: lambda call: actions.restore(call.layout, call.host(), call.args, call.tell),
    Operation.BACKUP_PRUNE: lambda call: actions.prune(call.layout, call.host(), call.args),
    Operation.BACKUP_DROP_OLD: lambda call: actions.drop_old(call.layout, call.host(), call.args),
    Operation.BACKUP_DRILL: lambda call: routine.run_drill(call.layout, call.host(), call.args, call.tell),
    Operation.BACKUP_COPY: lambda call: routine.run_copy(call.layout, call.host(), call.args, call.tell),
}
