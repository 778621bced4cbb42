"""What the page of a run says about it, as rows of labels and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from jobs.clusters import resources_of
from jobs.errors import UnknownKind
from jobs.exit_record import parse_exit
from jobs.files import EXIT_FILE, job_folder
from jobs.kinds import JobKind, kind_of
from jobs.models import Batch, Job, JobMove
from jobs.services import CANCELLABLE
from labs.templatetags.mlmd_tags import bytes_, digits, duration


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job with its moves, oldest first."""

    number: int
    moves: tuple[JobMove, ...]


@dataclass(frozen=True)
class ListRow:
    """A line of the list of runs.

    Args:
        job: the run.
        kind: its kind, in words.
        may_cancel: whether the reader can stop it.
    """

    job: Job
    kind: str
    may_cancel: bool


def list_row(job: Job, *, may_change: bool) -> ListRow:
    """Return a line of the list."""
    kind = kind_or_none(job)
    title = str(kind.title) if kind else job.kind
    return ListRow(job, title, may_change and job.state in CANCELLABLE)


def kind_or_none(job: Job) -> JobKind | None:
    """Return the job's kind; None for jobs of a room that is no longer installed."""
    try:
        return kind_of(job.kind)
    except UnknownKind:
        return None


def attempts_of(job: Job) -> list[Attempt]:
    """Return the job's history, the newest attempt first."""
    moves: dict[int, list[JobMove]] = {}
    for move in job.moves.select_related("actor"):
        moves.setdefault(move.attempt, []).append(move)
    return [Attempt(number, tuple(moves[number])) for number in sorted(moves, reverse=True)]


def resource_rows(job: Job) -> list[dict[str, Any]]:
    """Return what the run asked for and what it took."""
    resources = resources_of(job)
    rows: list[dict[str, Any]] = [
        {"label": _("Threads"), "value": resources.threads},
        {"label": _("Processes"), "value": resources.processes},
        {"label": _("Time limit"), "value": duration(resources.walltime_s)},
    ]
    if resources.nodes > 1:
        rows.append({"label": _("Nodes"), "value": resources.nodes})
    if resources.gpus:
        rows.append({"label": _("GPUs"), "value": resources.gpus})
    if resources.memory_mb:
        rows.append({"label": _("Memory"), "value": resources.memory_mb, "unit": "MB"})
    if job.started_at and job.ended_at:
        took = (job.ended_at - job.started_at).total_seconds()
        cores = resources.nodes * resources.processes * resources.threads
        rows.append({"label": _("Took"), "value": duration(took)})
        rows.append({"label": _("Core time"), "value": duration(took * cores)})
    record = job_folder(job) / EXIT_FILE
    if job.is_final and record.is_file() and (cpu := parse_exit(record.read_bytes()).cpu_s):
        rows.append({"label": _("Processor time"), "value": duration(cpu)})
    used = job.usages.aggregate(hours=Sum("node_hours"), attempts=Count("pk"))
    if used["attempts"]:
        label = _("Node-hours") if used["attempts"] == 1 else _("Node-hours, all attempts")
        rows.append({"label": label, "value": digits(used["hours"], 3)})
    if job.size_bytes:
        rows.append({"label": _("Files"), "value": bytes_(job.size_bytes)})
    return rows


def provenance_rows(job: Job, user: Any) -> list[dict[str, Any]]:
    """Return where the run ran and what it came from; only what the reader may see."""
    rows: list[dict[str, Any]] = [
        {"label": _("Cluster"), "value": job.cluster.name, "url": reverse("jobs:clusters")},
        {"label": _("Attempt"), "value": job.attempt},
    ]
    if job.scheduler_id:
        shown = job.scheduler_id.partition(":")[0]
        rows.append({"label": _("Id on the cluster"), "value": shown, "copyable": job.scheduler_id})
    batch = Batch.objects.visible_to(user).filter(pk=job.batch_id).first() if job.batch_id else None
    if batch:
        url = reverse("jobs:batch", args=[batch.public_id])
        rows.append({"label": _("Batch"), "value": batch.title, "url": url})
    if job.continued_from:
        rows.append({"label": _("Goes on from attempt"), "value": job.continued_from})
    if job.continuations:
        rows.append({"label": _("May go on by itself"), "value": job.continuations})
    visible: QuerySet[Job] = Job.objects.visible_to(user)
    parent = visible.filter(pk=job.parent_id).first() if job.parent_id else None
    if parent:
        rows.append(_job_row(_("Cloned from"), parent))
    rows += [
        _job_row(_("Clone"), clone) for clone in visible.filter(pk__in=job.clones.values("pk"))[:5]
    ]
    return rows


def _job_row(label: str, job: Job) -> dict[str, Any]:
    return {"label": label, "value": str(job), "url": reverse("jobs:detail", args=[job.public_id])}
