"""The writers of the room: what a person or another room may ask of the job machine."""

from __future__ import annotations

import shutil
import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import machine
from jobs.accounts import account_of
from jobs.clusters import known_resources, run_folder
from jobs.continuing import begin_again
from jobs.errors import Overtaken
from jobs.files import job_folder
from jobs.kinds import kind_of
from jobs.limits import check_new_run
from jobs.models import Batch, Cluster, Job, Leftover
from jobs.nudge import cluster_nudge, job_nudge
from jobs.placement import choose_queue
from jobs.selectors import clusters_usable_by
from jobs.states import State
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from labs.selectors import may_create

LOCAL = "local"
CANCELLABLE = frozenset(
    {State.CREATED, State.STAGED, State.SUBMITTED, State.RUNNING, State.BLOCKED}
)
RETRYABLE = frozenset({State.FAILED, State.CANCELLED, State.BLOCKED})


@transaction.atomic
def cluster_ensure_local() -> Cluster:
    """Return the built-in cluster of this machine, made when it isn't there yet."""
    cluster, _made = Cluster.objects.get_or_create(
        name=LOCAL,
        is_builtin=True,
        defaults={
            "visibility": Visibility.PUBLIC,
            "transport": "local",
            "scheduler": "direct",
            "description": "The machine that the portal runs on.",
        },
    )
    return cluster


@transaction.atomic
def job_create(
    *,
    owner: Any,
    lab: Lab,
    kind: str,
    title: str,
    spec: dict[str, Any],
    cluster: Cluster | None = None,
    resources: dict[str, Any] | None = None,
    visibility: str = Visibility.LAB,
    parent: Job | None = None,
    batch: Batch | None = None,
) -> Job:
    """Create a job; a worker takes it up as soon as the transaction is committed.

    Args:
        owner: who asks; must work in the lab.
        lab: where it belongs.
        kind: name of a registered `JobKind`.
        title: what the lists show.
        spec: everything the kind's `prepare` needs, as JSON.
        cluster: where to run, under the owner's own account where they have one; None for this
            machine.
        resources: fields of `mlmd.launch.Resources` that `prepare` may want to know, and
            ``queue`` and ``account`` where the cluster has them; ``continuations`` says how
            often the run may go on by itself from its checkpoint after its time limit.
        visibility: private, lab or public.
        parent: the job this one was cloned from.
        batch: the runs that it was started together with.

    Raises:
        Refused: the cluster takes no runs, or has no queue that the run fits in, or the run
            would go beyond what the lab may use.
        PermissionDenied: the owner may not create in the lab, or not use the cluster.
        UnknownKind: nobody registered the kind.
    """
    if not may_create(owner, lab):
        raise PermissionDenied(_("Guests of a lab can't start runs; ask its manager for a role."))
    kind_of(kind)
    cluster = (cluster or cluster_ensure_local()).entry
    if not clusters_usable_by(owner).filter(pk=cluster.pk).exists() and cluster.is_active:
        raise PermissionDenied(
            _("Cluster “%(name)s” is not open to you; choose another.") % {"name": cluster}
        )
    if not cluster.is_active:
        raise Refused(
            _("Cluster “%(name)s” takes no new runs; choose another.") % {"name": cluster}
        )
    asked = dict(resources or {})
    continuations = int(asked.pop("continuations", 0) or 0)
    choose_queue(cluster, known_resources(asked), str(asked.get("queue") or ""))
    check_new_run(lab=lab, cluster=cluster, asked=asked)
    now = timezone.now()
    job = Job.objects.create(
        owner=owner,
        lab=lab,
        kind=kind,
        title=title[:200],
        spec=spec,
        cluster=account_of(owner, cluster) or cluster,
        resources=asked,
        visibility=visibility,
        parent=parent,
        batch=batch,
        continuations=continuations or None,
        state=State.CREATED,
        state_changed_at=now,
        next_step_at=now,
        token=uuid.uuid4().hex,
    )
    machine.born(job, actor=owner)
    audit_record(actor=owner, verb="run started", target=job, kind=kind)
    job_nudge(job.pk, job.cluster_id)
    return job


@transaction.atomic
def job_cancel(*, job: Job, actor: Any) -> Job:
    """Stop a job: at once when nothing was handed over, else by asking the cluster.

    Raises:
        Refused: the job is final, or its results are just being read.
    """
    _may_change(job, actor)
    job.refresh_from_db()
    state = State(job.state)
    if job.is_final:
        raise Refused(
            _("“%(job)s” is %(state)s; there is nothing to cancel.")
            % {"job": job, "state": state.label}
        )
    if state in {State.ENDED, State.FETCHED}:
        raise Refused(
            _("“%(job)s” has already ended and its results are being collected.") % {"job": job}
        )
    if state == State.CANCELLING:
        return job
    reason = _("Cancelled by %(name)s.") % {"name": actor}
    never_left = state == State.CREATED or job.blocked_from == State.CREATED
    target = State.CANCELLED if never_left else State.CANCELLING
    if state == State.BLOCKED and job.blocked_from == State.ENDED:
        target = State.CANCELLED
    try:
        machine.move(job, target, reason=reason, actor=actor, stop_sent_at=None)
    except Overtaken as error:
        raise Refused(_("“%(job)s” has just moved on; look at it again.") % {"job": job}) from error
    audit_record(actor=actor, verb="run cancelled", target=job)
    cluster_nudge(job.cluster_id)
    return job


@transaction.atomic
def job_retry(*, job: Job, actor: Any) -> Job:
    """Begin a further attempt of a failed or cancelled job, or resume a blocked one.

    Raises:
        Refused: the job is done or still on its way.
    """
    _may_change(job, actor)
    job.refresh_from_db()
    state = State(job.state)
    try:
        if state == State.BLOCKED:
            reason = _("Resumed by %(name)s.") % {"name": actor}
            machine.resume(job, reason=reason, actor=actor)
        elif state in {State.FAILED, State.CANCELLED}:
            reason = _("Retried by %(name)s.") % {"name": actor}
            begin_again(job, reason=reason, actor=actor)
        else:
            raise Refused(
                _("“%(job)s” is %(state)s; only failed, cancelled and blocked runs can be retried.")
                % {"job": job, "state": state.label}
            )
    except Overtaken as error:
        raise Refused(_("“%(job)s” has just moved on; look at it again.") % {"job": job}) from error
    audit_record(actor=actor, verb="run retried", target=job, attempt=job.attempt)
    job_nudge(job.pk)
    cluster_nudge(job.cluster_id)
    return job


@transaction.atomic
def job_rename(*, job: Job, actor: Any, title: str) -> Job:
    """Give the job another title."""
    _may_change(job, actor)
    title = title.strip()[:200]
    if not title:
        raise Refused(_("A run needs a title."))
    Job.objects.filter(pk=job.pk).update(title=title, modified_at=timezone.now())
    job.title = title
    return job


@transaction.atomic
def job_set_visibility(*, job: Job, actor: Any, visibility: str) -> Job:
    """Say who may see the job and its files."""
    _may_change(job, actor)
    if visibility not in Visibility.values:
        raise Refused(_("“%(word)s” is no visibility.") % {"word": visibility})
    Job.objects.filter(pk=job.pk).update(visibility=visibility, modified_at=timezone.now())
    job.visibility = visibility
    audit_record(actor=actor, verb="run visibility changed", target=job, visibility=visibility)
    return job


@transaction.atomic
def job_delete(*, job: Job, actor: Any) -> None:
    """Delete a final job and the site's copy of its files.

    Raises:
        Refused: the job is still on its way, or something in the catalog came from it.
    """
    _may_change(job, actor)
    job.refresh_from_db()
    if not job.is_final:
        raise Refused(_("“%(job)s” is still on its way; cancel it first.") % {"job": job})
    folder, public_id = job_folder(job), job.public_id
    now = timezone.now()
    Leftover.objects.bulk_create(
        Leftover(cluster=job.cluster, folder=run_folder(job, attempt), due_at=now)
        for attempt in range(1, job.attempt + 1)
    )
    audit_record(actor=actor, verb="run deleted", target=job)
    try:
        job.delete()
    except ProtectedError as error:
        raise Refused(
            _("“%(job)s” stays: results in the catalog came from it.") % {"job": job}
        ) from error
    # Renamed first: a folder that is half removed must not look like the files of a job.
    transaction.on_commit(lambda: _remove(folder, str(public_id)))


def _remove(folder: Any, public_id: str) -> None:
    if folder.is_dir():
        doomed = folder.with_name(f".deleted-{public_id}")
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def _may_change(job: Job, actor: Any) -> None:
    if not Job.objects.filter(pk=job.pk).editable_by(actor).exists():
        raise PermissionDenied(
            _("Only the owner and the lab's managers can change “%(job)s”.") % {"job": job}
        )
