"""Queries about jobs and clusters, filtered by what a person may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from jobs.clusters import cores_of, need, recipes_of
from jobs.models import Cluster, Job, Notice
from jobs.states import ACTIVE, FINAL, ON_CLUSTER, State
from labs.models import Role

_BULKY = ("spec", "launch", "files", "log_tail")


def jobs_visible_to(user: Any) -> QuerySet[Job]:
    """Return the jobs a person may see, newest first, without their bulky columns."""
    return (
        Job.objects.visible_to(user)
        .select_related("owner", "lab", "cluster")
        .defer(*_BULKY)
        .order_by("-id")
    )


def job_detail(user: Any) -> QuerySet[Job]:
    """Return the same jobs with all their columns."""
    return Job.objects.visible_to(user).select_related("owner", "lab", "cluster", "parent")


def may_change(user: Any, job: Job) -> bool:
    """Whether the person may cancel, retry and delete the job."""
    return Job.objects.filter(pk=job.pk).editable_by(user).exists()


def running_count(user: Any) -> int:
    """Return how many runs of the person's labs are on their way."""
    labs = user.memberships.values("lab_id")
    # The inner query takes the index; together with the permissions SQLite would not.
    active = Job.objects.filter(lab_id__in=labs, state__in=sorted(ACTIVE))
    return Job.objects.visible_to(user).filter(pk__in=active.values("pk")).count()


def notices_of(user: Any) -> QuerySet[Notice]:
    """Return a person's notices about runs that they may still see, newest first."""
    return (
        Notice.objects.filter(user=user)
        # Asked run by run: the set of all visible runs is far larger than a person's notices.
        .filter(Exists(Job.objects.visible_to(user).filter(pk=OuterRef("job_id"))))
        .select_related("job__cluster", "job__lab")
        .defer(*(f"job__{name}" for name in _BULKY))
        .order_by("-id")
    )


def unread_count(user: Any, most: int = 100) -> int:
    """Return how many notices a person hasn't read; counted up to `most`."""
    return Notice.objects.filter(user=user, read_at=None).order_by()[:most].count()


def clusters_visible_to(user: Any) -> QuerySet[Cluster]:
    """Return the clusters a person may see, the built-in one first."""
    return Cluster.objects.visible_to(user).filter(shared=None)


def clusters_known_to(user: Any) -> QuerySet[Cluster]:
    """Return the same, and the entries of the person's own accounts on them."""
    return Cluster.objects.visible_to(user)


def clusters_managed_by(user: Any) -> QuerySet[Cluster]:
    """Return the entries that a person may set up: of labs they manage, and of own accounts."""
    managed = user.memberships.filter(role=Role.MANAGER).values("lab_id")
    working = user.memberships.exclude(role=Role.GUEST).values("lab_id")
    return Cluster.objects.filter(
        Q(lab_id__in=managed, shared=None)
        | Q(lab_id__in=working, shared__isnull=False, owner_id=user.pk)
    )


def clusters_usable_by(user: Any) -> QuerySet[Cluster]:
    """Return the clusters a person may send runs to."""
    return clusters_visible_to(user).filter(is_active=True)


JOB_ORDERS = {
    "title": ("title",),
    "kind": ("kind",),
    "state": ("state",),
    "cluster": ("cluster__name",),
    "owner": ("owner__name",),
    "started": ("started_at",),
    "created": ("id",),
}
"""Sort words of the list and the API; the newest come first unless asked otherwise."""
STATE_GROUPS = {"active": ACTIVE, "finished": FINAL}


@dataclass(frozen=True)
class JobFilter:
    """What a list of jobs is narrowed to; empty text means everything.

    Args:
        text: in the title.
        state: a state, or ``active`` or ``finished``.
        kind: name of a kind.
        owner: in the owner's name.
        cluster: the cluster's name.
        batch: public id of the batch that it belongs to.
        order: a word of `JOB_ORDERS`, with ``-`` in front for descending.
    """

    text: str = ""
    state: str = ""
    kind: str = ""
    owner: str = ""
    cluster: str = ""
    batch: str = ""
    order: str = "-created"


def jobs_filtered(user: Any, narrow: JobFilter) -> QuerySet[Job]:
    """Return the visible jobs that fit, in the wanted order."""
    jobs = jobs_visible_to(user)
    if narrow.text:
        jobs = jobs.filter(title__icontains=narrow.text)
    if narrow.state == "active":
        # Few among very many: found by the index on the state, then checked.
        active = Job.objects.filter(state__in=sorted(ACTIVE))
        jobs = jobs.filter(pk__in=active.values("pk"))
    elif narrow.state:
        jobs = jobs.filter(state__in=sorted(STATE_GROUPS.get(narrow.state, {narrow.state})))
    if narrow.kind:
        jobs = jobs.filter(kind=narrow.kind)
    if narrow.owner:
        jobs = jobs.filter(owner__name__icontains=narrow.owner)
    if narrow.cluster:
        named = Cluster.objects.filter(Q(name=narrow.cluster) | Q(shared__name=narrow.cluster))
        jobs = jobs.filter(cluster__in=named.values("pk"))
    if narrow.batch:
        jobs = jobs.filter(batch__public_id=narrow.batch)
    descending = narrow.order.startswith("-")
    columns = JOB_ORDERS.get(narrow.order.removeprefix("-"), ("id",))
    sign = "-" if descending else ""
    ordered = [sign + column for column in columns]
    return jobs.order_by(*ordered) if columns == ("id",) else jobs.order_by(*ordered, "-id")


@dataclass(frozen=True)
class ClusterLoad:
    """How busy a cluster is.

    Args:
        cluster: the cluster.
        cores: what runs may use at once; None where a scheduler looks after that.
        used: cores of the runs that are queued or running there.
        working: runs that are queued or running there.
        waiting: runs that wait to be handed over.
        codes: names of the codes that it can start.
    """

    cluster: Cluster
    cores: int | None
    used: int
    working: int
    waiting: int
    codes: tuple[str, ...]


def cluster_loads(user: Any) -> list[ClusterLoad]:
    """Return the clusters a person may see, with how busy they are (all labs together)."""
    loads = []
    for cluster in clusters_visible_to(user):
        jobs = list(
            Job.objects.filter(
                Q(cluster=cluster) | Q(cluster__shared=cluster), state__in=sorted(ON_CLUSTER)
            ).only("state", "resources")
        )
        working = [job for job in jobs if job.state != State.STAGED]
        loads.append(
            ClusterLoad(
                cluster=cluster,
                cores=cores_of(cluster),
                used=sum(need(job) for job in working),
                working=len(working),
                waiting=len(jobs) - len(working),
                codes=tuple(sorted(recipes_of(cluster))),
            )
        )
    return loads
