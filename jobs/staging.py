"""CREATED → STAGED: write the input, compose the script, copy both to the cluster."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from django.utils.translation import gettext as _

from jobs import machine
from jobs.clusters import recipes_of, run_folder
from jobs.containers import USUAL_LAUNCHER
from jobs.continuing import carry_checkpoint
from jobs.errors import UnknownKind
from jobs.files import INPUTS_FILE, SCRIPT_FILE, job_folder, note_inputs
from jobs.kinds import kind_of
from jobs.leases import Lease
from jobs.models import Job
from jobs.placement import Placement, lanes_allowed, place
from jobs.schedulers import SCHEDULERS
from jobs.script import compose
from jobs.states import State
from jobs.transports import connection
from labs.exceptions import Refused
from mlmd.errors import MlmdError
from mlmd.launch import Launch


def stage(job: Job, lease: Lease) -> None:
    """Prepare the job's folder and copy it to the cluster.

    Entry state CREATED; exit state STAGED, or FAILED when the input can't be made from the
    specification. Repeating it changes nothing: same folder, same content.

    Raises:
        ClusterTrouble: the copy could not be made.
        Overtaken: the lease was lost.
    """
    try:
        launch, placement = _prepare(job, lease)
    except (MlmdError, Refused, UnknownKind) as error:
        machine.move(job, State.FAILED, reason=str(error), lease=lease.token)
        return
    folder, remote = job_folder(job), run_folder(job)
    with connection(job.cluster) as transport:
        names = [
            path.relative_to(folder).as_posix()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != INPUTS_FILE
        ]
        transport.put_all(folder, names, remote)
    machine.move(
        job,
        State.STAGED,
        lease=lease.token,
        # The commands of each part stand in the script; thousands of them have no place in a row.
        launch={**asdict(replace(launch, parts=())), "parts": len(launch.parts)},
        resources={
            **asdict(launch.resources),
            "queue": placement.queue,
            "account": placement.account,
        },
        queue_reason="",
    )


def _prepare(job: Job, lease: Lease) -> tuple[Launch, Placement]:
    folder = job_folder(job)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The lease is ours: what else carries this job's name was left by a killed worker.
    for stale in folder.parent.glob(f".prepare-{job.public_id}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    draft = folder.with_name(f".prepare-{job.public_id}-{lease.token}")
    draft.mkdir()
    try:
        launch = kind_of(job.kind).prepare(job, draft)
        note_inputs(draft)
        carry_checkpoint(job, draft)
        placement = place(job, launch.resources)
        lanes = lanes_allowed(job.cluster, placement.queue, launch)
        launch = replace(launch, resources=replace(launch.resources, at_once=lanes))
        script = script_of(job, launch, placement)
        (draft / SCRIPT_FILE).write_text(script, encoding="utf-8")
        lease.renew()
        _replace(folder, draft)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return launch, placement


def script_of(job: Job, launch: Launch, placement: Placement) -> str:
    """Return the script that runs a prepared job.

    Raises:
        InvalidInput: the cluster doesn't know how to start one of the codes.
    """
    if not launch.commands and not launch.parts:
        raise Refused(_("This run has nothing to do: it was prepared without a command."))
    return compose(
        launch,
        SCHEDULERS[job.cluster.scheduler],
        recipes_of(job.cluster, gpus=launch.resources.gpus),
        name=f"mlmd-{job.kind}-{job.pk}",
        folder=run_folder(job),
        token=job.token,
        queue=placement.queue,
        account=placement.account,
        extra=placement.extra,
        setup=job.cluster.setup.splitlines(),
        mpi=tuple(job.cluster.options.get("mpi", USUAL_LAUNCHER)),
    )


def _replace(folder: Path, draft: Path) -> None:
    if folder.exists():
        old = folder.with_name(f".old-{folder.name}")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        draft.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        draft.rename(folder)
