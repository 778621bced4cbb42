"""A kind of job that keeps its own account of what happened to it, outside of its run directory."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.kinds import JobKind
from labs.audit import audit_record
from mlmd.errors import InvalidInput
from mlmd.launch import Command, Launch, Resources

if TYPE_CHECKING:
    from jobs.models import Job

KIND = "chaos"
ACCEPTED = "chaos result accepted"

PROGRAM = """\
import json, os, random, sys, time
seconds, size, seed, status, ledger = float(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5]
def note(*words):
    with open(ledger, "a") as log:
        log.write(" ".join(map(str, words)) + "\\n")
note("start", os.getpid(), os.getppid(), os.environ.get("SLURM_JOB_ID", "-"))
try:
    asked = open("payload", "rb").read()
    if asked != random.Random(seed).randbytes(len(asked)) or not asked:
        note("damaged input")
        sys.exit(9)
    content, turns = random.Random(seed + 1).randbytes(size), 10
    with open("result.bin", "wb") as stream:
        for turn in range(turns):
            time.sleep(seconds / turns)
            stream.write(content[turn * size // turns:(turn + 1) * size // turns])
            stream.flush()
            with open("progress.json.part", "w") as report:
                json.dump({"fraction": (turn + 1) / turns, "message": "working"}, report)
            os.replace("progress.json.part", "progress.json")
            print("turn", turn, flush=True)
except OSError as error:
    note("error", error.errno)
    sys.exit(28)
note("end", status)
sys.exit(status)
"""


class Fate(StrEnum):
    """What is going to happen to a job."""

    WELL = "ends well"
    STATUS = "ends with status 3"
    SCANCEL = "scancel by a stranger"
    PROGRAM = "kill -9 of the program"
    SCRIPT = "kill -9 of script and program"
    WALLTIME = "meets its time limit"
    CANCEL = "cancelled by its owner"


@dataclass(frozen=True)
class Plan:
    """One job of a chaos run.

    Args:
        number: from 0.
        cluster: name.
        fate: what will happen to it.
        seconds: how long its program works.
        size: bytes of its result.
        seed: of its input and result.
        delay: s after its start, or creation, at which its fate strikes.
    """

    number: int
    cluster: str
    fate: Fate
    seconds: float
    size: int
    seed: int
    delay: float

    @property
    def result(self) -> bytes:
        return random.Random(self.seed + 1).randbytes(self.size)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.result).hexdigest()


_FATES = [Fate.WELL] * 28 + [fate for fate in Fate if fate is not Fate.WELL] * 2
WALLTIME = 8  # s; where our own watch ends a run, it warns at half of it
SLURM_WALLTIME = 60  # s: Slurm counts whole minutes


def plans(count: int, seed: int, clusters: Sequence[str]) -> list[Plan]:
    """Return the jobs of a run: the same ones for the same seed; every fate occurs."""
    chance = random.Random(seed)
    fates = [*Fate, *(chance.choice(_FATES) for _ in range(max(0, count - len(Fate))))]
    chance.shuffle(fates)
    made = []
    for number, fate in enumerate(fates[:count]):
        quick = fate in {Fate.WELL, Fate.STATUS}
        cluster = chance.choice(list(clusters))
        if fate is Fate.WALLTIME:
            cluster = next(name for name in clusters if name.startswith("pjm"))
        made.append(
            Plan(
                number=number,
                cluster=cluster,
                fate=fate,
                seconds=chance.uniform(0.2, 4.0) if quick else 90.0,
                size=chance.choice([0, 10, 5_000, 100_000, 900_000]),
                seed=chance.randrange(1, 10**9),
                delay=chance.uniform(0.1, 2.0),
            )
        )
    return made


def spec_of(plan: Plan, ledger: Path) -> dict[str, Any]:
    return {
        "seconds": plan.seconds,
        "size": plan.size,
        "seed": plan.seed,
        "payload": 300_000,
        "status": 3 if plan.fate is Fate.STATUS else 0,
        "ledger": str(ledger / str(plan.number)),
        "walltime_s": WALLTIME if plan.fate is Fate.WALLTIME else 600,
        "sha256": plan.sha256,
    }


def prepare(job: Job, folder: Path) -> Launch:
    spec = job.spec
    (folder / "payload").write_bytes(random.Random(spec["seed"]).randbytes(spec["payload"]))
    (folder / "work.py").write_text(PROGRAM)
    for number in range(3):
        (folder / f"small-{number}").write_text("some input\n" * 20)
    arguments = [str(spec[name]) for name in ("seconds", "size", "seed", "status")]
    # Each attempt keeps an account of its own.
    arguments.append(f"{spec['ledger']}-{job.attempt}")
    return Launch(
        commands=(Command(("python", "work.py", *arguments)),),
        fetch=("result.bin",),
        live=("result.bin",),
        resources=Resources(walltime_s=spec["walltime_s"]),
    )


def accept(job: Job, folder: Path) -> None:
    found = hashlib.sha256((folder / "result.bin").read_bytes()).hexdigest()
    if found != job.spec["sha256"]:
        raise InvalidInput("result.bin", "another content", "the bytes of its seed")
    audit_record(actor=None, verb=ACCEPTED, target=job, attempt=job.attempt)


CHAOS = JobKind(KIND, "Chaos", prepare, accept)
