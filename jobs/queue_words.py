"""What a queue says about a waiting run, in words a person knows."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.clusters import cores_of
from jobs.models import Job
from jobs.states import State

WAITING = (State.STAGED, State.SUBMITTED)
# Slurm's codes (job_reason_codes of its documentation); other schedulers write sentences.
_REASONS: dict[str, Any] = {
    "Resources": gettext_lazy("It is next: it starts when the nodes it needs are free."),
    "Priority": gettext_lazy("Others are before it."),
    "Dependency": gettext_lazy("It waits for another job."),
    "BeginTime": gettext_lazy("Its time hasn't come yet."),
    "PartitionDown": gettext_lazy("The queue is closed at present."),
    "PartitionInactive": gettext_lazy("The queue is closed at present."),
    "PartitionTimeLimit": gettext_lazy("It asks for more time than the queue allows."),
    "PartitionNodeLimit": gettext_lazy("It asks for more nodes than the queue allows."),
    "ReqNodeNotAvail": gettext_lazy("Nodes that it needs are down or reserved, for maintenance."),
    "QOSMaxJobsPerUserLimit": gettext_lazy("The account may have no more jobs at once."),
    "QOSMaxCpuPerUserLimit": gettext_lazy("The account may use no more cores at once."),
    "AssocMaxJobsLimit": gettext_lazy("The account may have no more jobs at once."),
    "AssocGrpCpuLimit": gettext_lazy("The group may use no more cores at once."),
    "AssocGrpCPUMinutesLimit": gettext_lazy("The group's computing time is used up."),
    "JobHeldUser": gettext_lazy("Somebody holds it back with the account of the portal."),
    "JobHeldAdmin": gettext_lazy("The operators of the cluster hold it back."),
    "launch failed requeued held": gettext_lazy("It could not be started; the cluster holds it."),
}
_CODE = re.compile(r"^\(?(?P<code>[A-Za-z][\w ]*?)(?:[,(]|$)")


def reason_words(job: Job) -> str:
    """Return what the scheduler's code means; empty where it speaks for itself."""
    found = _CODE.match(job.queue_reason)
    return str(_REASONS.get(found["code"].strip(), "")) if found else ""


def place_words(job: Job) -> str:
    """Return how many of the portal's runs wait before this one on its cluster."""
    if job.state not in WAITING:
        return ""
    before = Job.objects.filter(cluster=job.cluster_id, pk__lt=job.pk, state__in=WAITING)
    count = before.order_by().count()
    if count:
        return _("%(count)d runs of the portal wait before it.") % {"count": count}
    if job.state == State.STAGED and cores_of(job.cluster):
        return _("It is the next to start here.")
    return ""
