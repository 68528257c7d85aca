"""What a migration does to the release before it: verdicts on its SQL, and the locks that it takes."""

from fairway.engine.contract.manifest import Verdict
from fairway.migrations.hazards import Hazard, lock_hazards
from fairway.migrations.judgement import Judgement, worst
from fairway.migrations.judging import judge_sql

__all__ = ["Hazard", "Judgement", "Verdict", "judge_sql", "lock_hazards", "worst"]
