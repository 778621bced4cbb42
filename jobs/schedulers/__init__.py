"""Ways to run jobs on a cluster; a new one is a file here and a line in the registry."""

from __future__ import annotations

from jobs.schedulers.base import QueueEntry, QueueState, Scheduler, ScriptHeader
from jobs.schedulers.direct import DirectScheduler
from jobs.schedulers.pbs import PbsScheduler
from jobs.schedulers.pjm import PjmScheduler
from jobs.schedulers.slurm import SlurmScheduler

SCHEDULERS: dict[str, Scheduler] = {
    "direct": DirectScheduler(),
    "pbs": PbsScheduler(),
    "pjm": PjmScheduler(),
    "slurm": SlurmScheduler(),
}

__all__ = ["SCHEDULERS", "QueueEntry", "QueueState", "Scheduler", "ScriptHeader"]
