"""What the script wrote about its own end."""

from __future__ import annotations

import datetime
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mlmd.runs import EXIT_TIME_LIMIT

OWN_PROGRAM = "mlmd"
log = logging.getLogger(__name__)


class Cause(StrEnum):
    """Why a run ended."""

    OK = "ok"
    FAILED = "failed"
    TIME = "time"
    STOPPED = "stopped"
    VANISHED = "vanished"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class ExitRecord:
    """The end of a run.

    Args:
        cause: why it ended.
        code: exit status of the command that ended it; None when nobody knows.
        step: number of that command, counted from 1.
        started: when the script began.
        ended: when it ended.
        cpu_s: processor time of its programs on the first node, s; None when nobody knows.
    """

    cause: Cause
    code: int | None = None
    step: int = 0
    started: datetime.datetime | None = None
    ended: datetime.datetime | None = None
    cpu_s: float | None = None


def parse_exit(content: bytes) -> ExitRecord:
    """Read ``exit.json``; what can't be read is a damaged record, never a success."""
    try:
        record = json.loads(content)
        cause, code = Cause(record["cause"]), int(record["code"])
        return ExitRecord(
            cause=cause,
            code=code,
            step=int(record["step"]),
            started=_when(record["started"]),
            ended=_when(record["ended"]),
            cpu_s=_processor_seconds(str(record.get("times", ""))),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        log.warning("exit record not readable (%s): %r", error, content[:200])
        return ExitRecord(Cause.DAMAGED)


def with_own_words(record: ExitRecord, commands: Sequence[Mapping[str, Any]]) -> ExitRecord:
    """Return the record with what programs of ours say by their exit status.

    They end by themselves, in order, shortly before their time is over, and say so by a status that
    may mean anything in other programs.

    Args:
        record: as the script wrote it.
        commands: of the launch, each with its ``argv``.
    """
    if (record.cause, record.code) != (Cause.FAILED, EXIT_TIME_LIMIT):
        return record
    if not 0 < record.step <= len(commands):
        return record
    argv = commands[record.step - 1].get("argv") or [""]
    return replace(record, cause=Cause.TIME) if argv[0] == OWN_PROGRAM else record


def _when(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(float(seconds), tz=datetime.UTC)


def _processor_seconds(text: str) -> float | None:
    """Return user and system time together of ``1m2.50s 0m0.25s``, as the shell prints it."""
    found = re.findall(r"(\d+)m(\d+(?:\.\d+)?)s", text)
    total = sum(60 * int(minutes) + float(seconds) for minutes, seconds in found)
    return total or None
