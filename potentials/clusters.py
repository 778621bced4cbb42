"""How many cores a run takes unless told otherwise, and the most that it can have."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from jobs.clusters import cores_of, recipes_of
from jobs.models import Cluster
from jobs.offering import clusters_offering
from jobs.selectors import clusters_usable_by
from potentials.families import Family

PROGRAM = "mlmd"  # the code that trains and moves atoms, as recipes name it
USUAL_THREADS = 2
MOST_THREADS = 1024  # where the scheduler knows the limit and we don't


def clusters_for(user: Any, families: Iterable[Family]) -> QuerySet[Cluster]:
    """Return the clusters that a person may send runs to and that have what a family needs."""
    able: set[int] = set()
    for family in families:
        offered = [
            set(clusters_offering(user, code).values_list("pk", flat=True)) for code in family.codes
        ]
        able |= set.intersection(*offered)
    return clusters_usable_by(user).filter(pk__in=able)


def missing_codes(cluster: Cluster, family: Family) -> list[str]:
    """Return the programs of a family that a cluster has no recipe for."""
    known = recipes_of(cluster)
    return [code for code in family.codes if code not in known]


def missing_words(cluster: Cluster, family: Family) -> str:
    """Say which programs of a family a cluster lacks, and what to do; empty where it has all."""
    missing = missing_codes(cluster, family)
    if not missing:
        return ""
    return _(
        "%(cluster)s has no %(programs)s. Train with our own engine, which makes the same kind of "
        "potential; or ask the cluster's manager to add a recipe for each of them."
    ) % {"cluster": cluster.name, "programs": ", ".join(missing)}


def most_threads(cluster: Cluster) -> int:
    """Return the most cores that one run can have on a cluster."""
    return cores_of(cluster) or MOST_THREADS


def default_threads() -> int:
    """Return the cores that a form proposes."""
    return min(USUAL_THREADS, os.cpu_count() or 1)
