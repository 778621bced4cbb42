"""Registers the kinds of job that count their own starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from jobs.kinds import register


class FaultsConfig(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from tests.faults.chaos_jobs import CHAOS
        from tests.faults.counted import COUNTED

        register(COUNTED)
        register(CHAOS)
        if pace := os.environ.get("MLMD_FAULTS_PACE"):
            _hurry(float(pace))
        if folder := os.environ.get("MLMD_FAULTS_COUNT"):
            _count_statements(Path(folder))


def _count_statements(folder: Path) -> None:
    """Write how many statements each process sends to the database."""
    from django.db.backends.signals import connection_created

    counts = {"read": 0, "write": 0}

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counts["read" if sql.startswith(("SELECT", "PRAGMA")) else "write"] += 1
        if sum(counts.values()) % 50 == 0:
            (folder / str(os.getpid())).write_text(json.dumps(counts))
        return execute(sql, params, many, context)

    def begin(connection: Any, **_rest: Any) -> None:
        if count not in connection.execute_wrappers:  # kept when a connection is made anew
            connection.execute_wrappers.append(count)

    connection_created.connect(begin, weak=False)


def _hurry(pace: float) -> None:
    """Multiply the patience of the job machine: a test of minutes stands for hours of trouble."""
    from jobs import machine, submission, tending
    from jobs.schedulers import SCHEDULERS, batch
    from jobs.transports import ssh, ssh_pool

    batch.UNSEEN_WAIT = max(1, round(batch.UNSEEN_WAIT * pace))
    for scheduler in SCHEDULERS.values():
        scheduler.missing_grace_s = scheduler.missing_grace_s * pace
    for module, names in (
        (tending, ("QUEUE_TIMEOUT",)),
        (submission, ("TIMEOUT",)),
        (machine, ("FIRST_WAIT", "LONGEST_WAIT", "BLOCKED_WAIT")),
        (ssh_pool, ("FIRST_WAIT", "LONGEST_WAIT")),
        (ssh, ("CHANNEL_TIMEOUT", "BUNDLE_TIMEOUT", "LATE")),
    ):
        for name in names:
            setattr(module, name, getattr(module, name) * pace)
