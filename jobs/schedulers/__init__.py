"""Ways to run jobs on a cluster; a new one is a file here and a line in the registry."""

from __future__ import annotations

from jobs.schedulers.base import QueueEntry, QueueState, Scheduler, ScriptHeader
from jobs.schedulers.direct import DirectScheduler

SCHEDULERS: dict[str, Scheduler] = {"direct": DirectScheduler()}

__all__ = ["SCHEDULERS", "QueueEntry", "QueueState", "Scheduler", "ScriptHeader"]
