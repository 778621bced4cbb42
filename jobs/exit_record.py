"""What the script wrote about its own end."""

from __future__ import annotations

import datetime
import json
import logging
import re
from dataclasses import dataclass
from enum import StrEnum

from mlmd.runs import EXIT_TIME_LIMIT

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
            # A program that ends by itself because its time is over says so.
            cause=Cause.TIME if (cause, code) == (Cause.FAILED, EXIT_TIME_LIMIT) else cause,
            code=code,
            step=int(record["step"]),
            started=_when(record["started"]),
            ended=_when(record["ended"]),
            cpu_s=_processor_seconds(str(record.get("times", ""))),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        log.warning("exit record not readable (%s): %r", error, content[:200])
        return ExitRecord(Cause.DAMAGED)


def _when(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(float(seconds), tz=datetime.UTC)


def _processor_seconds(text: str) -> float | None:
    """Return user and system time together of ``1m2.50s 0m0.25s``, as the shell prints it."""
    found = re.findall(r"(\d+)m(\d+(?:\.\d+)?)s", text)
    total = sum(60 * int(minutes) + float(seconds) for minutes, seconds in found)
    return total or None
