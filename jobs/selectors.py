"""Queries about jobs and clusters, filtered by what a person may see."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from jobs.models import Cluster, Job
from jobs.states import ACTIVE

_BULKY = ("spec", "launch", "files", "log_tail")


def jobs_visible_to(user: Any) -> QuerySet[Job]:
    """Return the jobs a person may see, newest first, without their bulky columns."""
    return (
        Job.objects.visible_to(user)
        .select_related("owner", "lab", "cluster")
        .defer(*_BULKY)
        .order_by("-created_at", "-id")
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
    return Job.objects.visible_to(user).filter(lab_id__in=labs, state__in=sorted(ACTIVE)).count()


def clusters_visible_to(user: Any) -> QuerySet[Cluster]:
    """Return the clusters a person may see, the built-in one first."""
    return Cluster.objects.visible_to(user)


def clusters_usable_by(user: Any) -> QuerySet[Cluster]:
    """Return the clusters a person may send runs to."""
    return Cluster.objects.visible_to(user).filter(is_active=True)
