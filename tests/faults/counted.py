"""A kind of job that counts its own starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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


def prepare(job: Job, folder: Path) -> Launch:
    (folder / "payload").write_text(PAYLOAD)
    (folder / "count.py").write_text(PROGRAM)
    seconds = json.dumps(job.spec["seconds"])
    return Launch(commands=(Command(("python", "count.py", seconds)),), fetch=("result", "starts"))


def accept(job: Job, folder: Path) -> None:
    if (folder / "result").read_text() != PAYLOAD[::-1]:
        raise InvalidInput("result", "another content", "the payload backwards")
    audit_record(actor=None, verb=ACCEPTED, target=job)


COUNTED = JobKind(KIND, "Counted", prepare, accept)
