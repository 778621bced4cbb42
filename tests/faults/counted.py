"""A kind of job that counts its own starts."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from jobs.kinds import JobKind
from labs.audit import audit_record
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch

if TYPE_CHECKING:
    from jobs.models import Job

KIND = "counted"
ACCEPTED = "counted result accepted"
CLUSTER_RECIPES = {"python": {"argv": [sys.executable, "-S", "-E"]}}
PAYLOAD = "".join(f"{number:08d}\n" for number in range(20_000))

PROGRAM = """\
import os, sys, time
with open("starts", "a") as log:
    log.write(f"{os.getpid()}\\n")
seconds, payload = float(sys.argv[1]), open("payload").read()
time.sleep(seconds)
with open("result", "w") as stream:
    stream.write(payload[::-1])
"""


WINDOW = 0.25  # s that preparing and accepting take, so that kills hit their middle


def note(what: str, job: Job) -> None:
    with (settings.VAR_DIR / what).open("a") as log:
        log.write(f"{job.pk}\n")


def prepare(job: Job, folder: Path) -> Launch:
    note("prepared", job)
    (folder / "payload").write_text(PAYLOAD[:1000])
    time.sleep(WINDOW)
    (folder / "payload").write_text(PAYLOAD)
    (folder / "count.py").write_text(PROGRAM)
    seconds = json.dumps(job.spec["seconds"])
    return Launch(commands=(Command(("python", "count.py", seconds)),), fetch=("result", "starts"))


def accept(job: Job, folder: Path) -> None:
    if (folder / "result").read_text() != PAYLOAD[::-1]:
        raise InvalidInput("result", "another content", "the payload backwards")
    note("accepting", job)
    audit_record(actor=None, verb=ACCEPTED, target=job)
    time.sleep(WINDOW)


COUNTED = JobKind(KIND, "Counted", prepare, accept)
