"""One look at one cluster, for all of its jobs: a connection, a queue query, a file survey."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import machine
from jobs.cancelling import cancel, look_up
from jobs.cleaning import clean
from jobs.clusters import run_folder, with_room
from jobs.contact import note_failure, note_success
from jobs.errors import ClusterTrouble, LinkTrouble, NotYetClear, Overtaken
from jobs.files import EXIT_FILE
from jobs.following import Seen, follow
from jobs.leases import Lease, held
from jobs.limits import Admission
from jobs.live import refresh
from jobs.models import Cluster, Job
from jobs.nudge import job_nudge
from jobs.schedulers import SCHEDULERS, QueueEntry, QueueState
from jobs.states import ON_CLUSTER, State
from jobs.submission import submit_all, take_answer
from jobs.transports import RemoteFile, Transport, connection

log = logging.getLogger(__name__)

SUBMISSIONS_PER_LOOK = 60
WAITING_PER_LOOK = 60  # folders listed of runs that the queue knows as waiting
QUEUE_TIMEOUT = 60.0  # s for a look at the queue
RECORD_LIMIT = 4096  # bytes of an exit record
IN_QUEUE = (State.SUBMITTED, State.RUNNING, State.CANCELLING)


def tend(cluster_pk: int) -> None:
    """Look at the cluster once, unless somebody else is doing it or did it just now."""
    with held(Cluster, cluster_pk) as lease:
        if lease is None:
            return
        cluster = Cluster.objects.get(pk=cluster_pk)
        if cluster.next_poll_at and cluster.next_poll_at > timezone.now():
            return
        try:
            with connection(cluster) as transport:
                _Look(cluster, transport, lease).run()
        except Overtaken as error:
            log.info("cluster %s: %s", cluster, error)
        except ClusterTrouble as error:
            note_failure(cluster, str(error))
        else:
            note_success(cluster)


class _Look:
    """The state of one look at one cluster."""

    def __init__(self, cluster: Cluster, transport: Transport, lease: Lease) -> None:
        self.cluster, self.transport, self.lease = cluster, transport, lease
        self.scheduler = SCHEDULERS[cluster.scheduler]

    def run(self) -> None:
        jobs = list(
            Job.objects.filter(cluster=self.cluster, state__in=IN_QUEUE)
            .select_related("cluster")
            .defer("spec", "files", "log_tail")
            .order_by("pk")
        )
        for job in jobs:
            if job.state == State.CANCELLING and not job.scheduler_id:
                self._guard(job, lambda job: look_up(job, self.transport, self.scheduler))
        self._carry_on([job for job in jobs if job.scheduler_id and _due(job)])
        self._submit_waiting()
        clean(self.cluster, self.transport)

    def _carry_on(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        ids = [job.scheduler_id for job in jobs]
        answer = self.transport.run(self.scheduler.queue_command(ids), timeout=QUEUE_TIMEOUT)
        queue = self.scheduler.parse_queue(answer, ids)
        # After the queue: a run that ends in between is missing there but has its record here.
        folders = self.transport.survey([run_folder(job) for job in _worth_a_look(jobs, queue)])
        ended = {
            job.pk: f"{run_folder(job)}/{EXIT_FILE}" for job in jobs if _has_ended(job, folders)
        }
        records = self.transport.read_all(dict.fromkeys(ended.values(), RECORD_LIMIT))
        refresh([job for job in jobs if job.pk not in ended], folders, self.transport)
        for job in jobs:
            seen = Seen(
                entry=queue.get(job.scheduler_id),
                files=folders.get(run_folder(job), ()),
                record=records.get(ended.get(job.pk, "")),
            )
            self._guard(job, partial(self._carry, seen=seen))

    def _carry(self, job: Job, seen: Seen) -> None:
        if job.state == State.CANCELLING:
            cancel(job, seen, self.transport, self.scheduler)
        else:
            follow(job, seen, self.scheduler)
        if job.state == State.ENDED:
            job_nudge(job.pk, job.cluster_id)
        elif job.failures:
            Job.objects.filter(pk=job.pk, state=job.state).update(failures=0, queue_reason="")

    def _submit_waiting(self) -> None:
        now = timezone.now()
        staged = Job.objects.filter(cluster=self.cluster, state=State.STAGED)
        if not staged.exists():
            return
        admission = Admission(self.cluster)
        # Those in back-off, and those that meet a limit, have their next step later.
        later = Q(next_step_at__gt=now)
        waiting = admission.open_to(staged).exclude(later).select_related("cluster")
        due = []
        for job in waiting.order_by("pk")[:SUBMISSIONS_PER_LOOK]:
            if why := admission.admit(job):
                staged.filter(pk=job.pk).update(
                    queue_reason=why, next_step_at=now + machine.wait_after(1)
                )
            else:
                due.append(job)
        working = Job.objects.filter(cluster=self.cluster, state__in=IN_QUEUE).only("resources")
        chosen = with_room(self.cluster, due, working)
        for job, answer in submit_all(chosen, self.transport, self.scheduler):
            self._guard(job, partial(take_answer, answer=answer, scheduler=self.scheduler))
        words = _("Waits for free cores; runs start in the order they came.")
        # In place of a limit that it doesn't meet any more; what failed keeps its own words.
        left = [
            job.pk
            for job in due
            if job not in chosen and not job.failures and job.queue_reason != words
        ]
        if left:
            Job.objects.filter(pk__in=left, state=State.STAGED).update(queue_reason=words)

    def _guard(self, job: Job, act: Callable[[Job], None]) -> None:
        """Keep one job's trouble from the others; a lost lease or link ends the look."""
        self.lease.ensure()
        try:
            act(job)
        except Overtaken as error:
            log.info("job %s: %s", job.pk, error)
        except LinkTrouble:
            raise
        except NotYetClear as error:
            later = timezone.now() + machine.wait_after(2)
            Job.objects.filter(pk=job.pk, state=job.state).update(
                next_step_at=later, queue_reason=str(error)
            )
        except ClusterTrouble as error:
            self._trouble(job, str(error), needs_person=error.needs_person)
        except Exception:  # one job's defect must not stop the others
            log.exception("job %s: a defect of the portal", job.pk)
            self._trouble(
                job, _("The portal failed on this run; an operator finds why in its log.")
            )

    def _trouble(self, job: Job, message: str, *, needs_person: bool = False) -> None:
        try:
            machine.trouble(job, message, needs_person=needs_person)
        except Overtaken as error:
            log.info("job %s: %s", job.pk, error)


def _worth_a_look(jobs: Sequence[Job], queue: Mapping[str, QueueEntry]) -> list[Job]:
    """Return the runs whose folders are listed: of those that only wait, some in turns.

    Not none of them: a run that has ended may be back in the queue, held there.
    """
    waiting: list[Job] = []
    others: list[Job] = []
    for job in jobs:
        entry = queue.get(job.scheduler_id)
        is_queued = entry is not None and entry.state == QueueState.QUEUED
        only_waits = is_queued and job.state == State.SUBMITTED
        (waiting if only_waits else others).append(job)
    return others + random.sample(waiting, min(WAITING_PER_LOOK, len(waiting)))


def _has_ended(job: Job, folders: Mapping[str, Sequence[RemoteFile]]) -> bool:
    return any(file.path == EXIT_FILE for file in folders.get(run_folder(job), ()))


def _due(job: Job) -> bool:
    """Whether the job is on a cluster's list and not in the back-off after a failure."""
    now = timezone.now()
    return job.state in ON_CLUSTER and (not job.failures or (job.next_step_at or now) <= now)
