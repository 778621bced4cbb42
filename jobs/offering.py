"""Which clusters can run a kind of job, and which of them a form proposes."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from jobs.clusters import recipes_of
from jobs.models import Cluster, Job
from jobs.selectors import clusters_usable_by


def clusters_offering(user: Any, code: str) -> QuerySet[Cluster]:
    """Return the clusters that a person may send runs to and that can start a code.

    Args:
        user: who starts the run.
        code: as recipes name it, for example ``mlmd`` or ``pw.x``.
    """
    able = Q(recipes__has_key=code)
    # The built-in cluster finds programs on this machine: no query knows them.
    here = [row.pk for row in Cluster.objects.filter(is_builtin=True) if code in recipes_of(row)]
    return clusters_usable_by(user).filter(able | Q(pk__in=here))


def usual_cluster(user: Any, kind: str, offered: QuerySet[Cluster]) -> Cluster | None:
    """Return the cluster that a form proposes: where the person's last such run went.

    Args:
        user: who starts the run.
        kind: of job.
        offered: the clusters to choose from; without an earlier run, their first.
    """
    last = (
        Job.objects.filter(owner=user, kind=kind)
        .order_by("-id")
        .values_list(Coalesce("cluster__shared_id", "cluster_id"), flat=True)
        .first()
    )
    usual = None if last is None else offered.filter(pk=last).first()
    return usual or offered.first()
