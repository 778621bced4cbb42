"""The kinds of job that this room gives to the job machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from jobs.kinds import JobKind, register
from jobs.models import Job
from mlmd.hdnnp.training import CHECKPOINT_FILE
from mlmd.launch import Launch
from mlmd.md import settings_from_mapping
from mlmd.validation import RUN_STATE_FILES as VALIDATION_STATE_FILES
from potentials.engines import ENGINES
from potentials.models import Validation
from potentials.services import simulations, trainings, validations

TRAIN, MD, VALIDATE = "train", "md", validations.KIND
TRAINING_CHECKPOINT = (f"**/{CHECKPOINT_FILE}",)


def register_kinds() -> None:
    """Tell the job machine how to prepare and accept trainings, MD runs and validations."""
    register(
        JobKind(
            name=TRAIN,
            title=_("Training"),
            prepare=_prepare_training,
            accept=_accept_training,
            url=_training_url,
            clone_url=_training_clone_url,
            checkpoint=TRAINING_CHECKPOINT,
        )
    )
    register(
        JobKind(
            name=MD,
            title=_("Molecular dynamics"),
            prepare=_prepare_simulation,
            accept=_accept_simulation,
            url=_simulation_url,
            clone_url=_simulation_clone_url,
            checkpoint=_simulation_checkpoint,
            progress=_simulation_progress,
        )
    )
    register(
        JobKind(
            name=VALIDATE,
            title=_("Validation"),
            prepare=_prepare_validation,
            accept=_accept_validation,
            url=_validation_url,
            checkpoint=VALIDATION_STATE_FILES,
        )
    )


def _prepare_training(job: Job, folder: Path) -> Launch:
    return trainings.training_prepare(training=job.training, folder=folder)


def _accept_training(job: Job, folder: Path) -> None:
    trainings.training_accept(training=job.training, folder=folder)


def _training_url(job: Job) -> str:
    return reverse("potentials:training", args=[job.training.public_id])


def _training_clone_url(job: Job) -> str:
    return f"{reverse('potentials:train')}?clone={job.training.public_id}"


def _prepare_simulation(job: Job, folder: Path) -> Launch:
    return simulations.simulation_prepare(simulation=job.simulation, folder=folder)


def _accept_simulation(job: Job, folder: Path) -> None:
    simulations.simulation_accept(simulation=job.simulation, folder=folder)


def _simulation_checkpoint(job: Job) -> tuple[str, ...]:
    return ENGINES[job.simulation.engine].checkpoint


def _simulation_progress(job: Job, folder: Path) -> Mapping[str, Any]:
    run = job.simulation
    return ENGINES[run.engine].progress(folder, settings_from_mapping(run.settings))


def _simulation_url(job: Job) -> str:
    return reverse("potentials:simulation", args=[job.simulation.public_id])


def _simulation_clone_url(job: Job) -> str:
    return f"{reverse('potentials:simulate')}?clone={job.simulation.public_id}"


def _prepare_validation(job: Job, folder: Path) -> Launch:
    return validations.validation_prepare(validation=job.validation, folder=folder)


def _accept_validation(job: Job, folder: Path) -> None:
    validations.validation_accept(validation=job.validation, folder=folder)


def _validation_url(job: Job) -> str:
    row = Validation.objects.filter(job=job).select_related("potential").first()
    if row is None:  # while the potential is being deleted
        return ""
    return f"{reverse('potentials:detail', args=[row.potential.public_id])}#validation"
