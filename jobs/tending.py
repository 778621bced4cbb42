"""One look at one cluster, for all of its jobs: a connection, a queue query, a file survey."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping, Sequence

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import machine
from jobs.cancelling import cancel, look_up
from jobs.clusters import run_folder, with_room
from jobs.errors import ClusterTrouble, Overtaken
from jobs.following import follow
from jobs.leases import Lease, held
from jobs.limits import Admission
from jobs.live import refresh
from jobs.models import Cluster, Job
from jobs.nudge import job_nudge
from jobs.schedulers import SCHEDULERS, QueueEntry
from jobs.states import ON_CLUSTER, State
from jobs.submission import submit
from jobs.transports import RemoteFile, Transport, connection

log = logging.getLogger(__name__)

POLL_INTERVAL = 0.5  # s, the least between two looks at a cluster without its own setting
SUBMISSIONS_PER_LOOK = 50
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
            _note_failure(cluster, str(error))
        else:
            _note_success(cluster)


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

    def _carry_on(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        ids = [job.scheduler_id for job in jobs]
        queue = self.scheduler.parse_queue(
            self.transport.run(self.scheduler.queue_command(ids)), ids
        )
        # After the queue: a run that ends in between is missing there but has its record here.
        files = self.transport.survey([run_folder(job) for job in jobs])
        for job in jobs:
            self._guard(job, lambda job: self._carry(job, queue, files))

    def _carry(
        self,
        job: Job,
        queue: Mapping[str, QueueEntry],
        folders: Mapping[str, Sequence[RemoteFile]],
    ) -> None:
        entry, files = queue.get(job.scheduler_id), folders.get(run_folder(job), ())
        refresh(job, files, self.transport)
        if job.state == State.CANCELLING:
            cancel(job, entry, files, self.transport, self.scheduler)
        else:
            follow(job, entry, files, self.transport)
        if job.state == State.ENDED:
            job_nudge(job.pk)
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
        for job in chosen:
            self._guard(job, lambda job: submit(job, self.transport, self.scheduler))
        left = [job.pk for job in due if job not in chosen and not job.queue_reason]
        if left:
            Job.objects.filter(pk__in=left, state=State.STAGED).update(
                queue_reason=_("Waits for free cores; runs start in the order they came.")
            )

    def _guard(self, job: Job, act: Callable[[Job], None]) -> None:
        """Keep one job's trouble from the others; only a lost lease ends the look."""
        self.lease.ensure()
        try:
            act(job)
        except Overtaken as error:
            log.info("job %s: %s", job.pk, error)
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


def _due(job: Job) -> bool:
    """Whether the job is on a cluster's list and not in the back-off after a failure."""
    now = timezone.now()
    return job.state in ON_CLUSTER and (not job.failures or (job.next_step_at or now) <= now)


def _note_success(cluster: Cluster) -> None:
    now = timezone.now()
    interval = float(cluster.options.get("poll_interval_s", POLL_INTERVAL))
    if cluster.failures:
        # What waited for the cluster goes on now instead of after its own long wait.
        Job.objects.filter(
            cluster=cluster,
            state=State.BLOCKED,
            blocked_from__in=ON_CLUSTER,
            next_step_at__isnull=False,
        ).update(next_step_at=now)
    Cluster.objects.filter(pk=cluster.pk).update(
        failures=0,
        trouble="",
        contacted_at=now,
        next_poll_at=now + datetime.timedelta(seconds=interval),
    )


def _note_failure(cluster: Cluster, message: str) -> None:
    """Leave the cluster alone for a while; after several failures in a row say so at its jobs."""
    failures = cluster.failures + 1
    next_poll_at = timezone.now() + machine.wait_after(failures)
    log.warning("cluster %s, failure %d: %s", cluster, failures, message)
    Cluster.objects.filter(pk=cluster.pk).update(
        failures=failures, trouble=message, next_poll_at=next_poll_at
    )
    if failures < machine.TRIES_BEFORE_BLOCKED:
        return
    for job in Job.objects.filter(cluster=cluster, state__in=ON_CLUSTER):
        try:
            with transaction.atomic():
                machine.move(
                    job,
                    State.BLOCKED,
                    reason=message,
                    blocked_from=job.state,
                    next_step_at=timezone.now() + datetime.timedelta(seconds=machine.BLOCKED_WAIT),
                )
        except Overtaken as error:
            log.info("job %s: %s", job.pk, error)
