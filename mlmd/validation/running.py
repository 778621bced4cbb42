"""All checks one after the other, each kept as soon as it is done."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mlmd.errors import InvalidInput
from mlmd.runs import Progress
from mlmd.validation.consistency import check_consistency
from mlmd.validation.defects import check_vacancy
from mlmd.validation.dimers import check_dimers
from mlmd.validation.dynamics import check_speed, check_stability
from mlmd.validation.elasticity import check_elastic
from mlmd.validation.extrapolation import check_extrapolation
from mlmd.validation.lattice import check_lattice, check_volume
from mlmd.validation.parity import check_parity
from mlmd.validation.phases import check_phases
from mlmd.validation.phonons import check_phonons
from mlmd.validation.report import (
    VERSION,
    Check,
    CheckName,
    CheckStatus,
    Machine,
    ValidationReport,
)
from mlmd.validation.subject import Findings, RelaxedCrystal, Skipped, Subject, over_crystals
from mlmd.validation.surfaces import check_surfaces
from mlmd.validation.words import TITLES

# What a wild potential makes of sound algorithms: a matrix that isn't finite, a fit that fails.
_PHYSICS_FAILURES = (ArithmeticError, ValueError, RuntimeError)
Look = Callable[[Subject], Findings]


def run_checks(
    subject: Subject,
    finished: Iterable[Check] = (),
    keep: Callable[[ValidationReport], None] = lambda report: None,
    progress: Progress | None = None,
) -> ValidationReport:
    """Do the checks that the settings name.

    Args:
        subject: the potential and its data.
        finished: checks of an earlier run, which are taken as they are.
        keep: called with the report so far after every check.
        progress: told before every check.

    Raises:
        Stopped: the subject's stop was requested; finished checks were kept.
    """
    known = {check.name: check for check in finished}
    wanted = [name for name in CheckName if name in subject.settings.checks]
    machine = this_machine(subject.cores)
    done: list[Check] = []
    for number, name in enumerate(wanted):
        if name not in known:
            if progress is not None:
                progress.report(
                    number / len(wanted), TITLES[name], stage=name.value, checks=len(wanted)
                )
            subject.pause()
            known[name] = run_check(subject, name, machine)
            done = [known[other] for other in wanted if other in known]
            keep(_report(subject, done, machine))
    return _report(subject, [known[name] for name in wanted], machine)


def run_check(subject: Subject, name: CheckName, machine: Machine) -> Check:
    """Do one check; whatever the potential makes of it ends in the outcome.

    Raises:
        Stopped: the subject's stop was requested.
    """
    began = time.monotonic()
    status, reason, found = CheckStatus.DONE, "", Findings()
    try:
        found = _looks(machine)[name](subject)
        if found.failure:
            status, reason = CheckStatus.FAILED, found.failure
    except Skipped as skipped:
        status, reason = CheckStatus.SKIPPED, _sentence(str(skipped))
    except InvalidInput as error:
        status, reason = CheckStatus.FAILED, str(error)
    except _PHYSICS_FAILURES as error:
        status, reason = CheckStatus.FAILED, f"The computation broke down: {error}."
    seconds = round(time.monotonic() - began, 3)
    return Check(
        name, TITLES[name], status, reason,
        found.values, found.plots, found.tables, found.notes, seconds,
    )  # fmt: skip


def this_machine(cores: int) -> Machine:
    """Return what a report says of the machine it runs on."""
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for row in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if row.startswith("model name"):
                name = row.partition(":")[2].strip()
                break
    return Machine(name, min(cores, os.cpu_count() or cores))


def _looks(machine: Machine) -> dict[CheckName, Look]:
    return {
        CheckName.PARITY: check_parity,
        CheckName.EXTRAPOLATION: check_extrapolation,
        CheckName.CONSISTENCY: check_consistency,
        CheckName.DIMERS: check_dimers,
        CheckName.LATTICE: _on_crystals(check_lattice),
        CheckName.VOLUME: _on_crystals(check_volume),
        CheckName.PHASES: _on_crystals(check_phases),
        CheckName.ELASTIC: _on_crystals(check_elastic),
        CheckName.PHONONS: _on_crystals(check_phonons),
        CheckName.VACANCY: _on_crystals(check_vacancy),
        CheckName.SURFACES: _on_crystals(check_surfaces),
        CheckName.STABILITY: check_stability,
        CheckName.SPEED: lambda subject: check_speed(subject, machine),
    }


def _on_crystals(look: Callable[[Subject, RelaxedCrystal], Findings]) -> Look:
    return lambda subject: over_crystals(subject, look)


def _report(subject: Subject, checks: list[Check], machine: Machine) -> ValidationReport:
    # Crystals are looked for by the checks that need them, and only then known.
    crystals = subject.found.crystals if "found" in vars(subject) else ()
    return ValidationReport(
        VERSION,
        tuple(checks),
        tuple(crystal.summary() for crystal in crystals),
        machine,
        round(sum(check.seconds for check in checks), 3),
        len(subject.frames),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
