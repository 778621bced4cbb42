"""Where runs may go, and how many cores they take there unless told otherwise."""

from __future__ import annotations

import os
from typing import Any

from jobs.models import Cluster

USUAL_THREADS = 2


def clusters_for(user: Any) -> Any:
    """Return the clusters that a person may use and that take new runs, the built-in one first."""
    return Cluster.objects.visible_to(user).filter(is_active=True)


def most_threads(cluster: Cluster) -> int:
    """Return the most cores that one run can have on a cluster."""
    if cluster.cores:
        return int(cluster.cores)
    return (os.cpu_count() or 1) if cluster.is_builtin else 1024


def default_threads() -> int:
    """Return the cores that a form proposes."""
    return min(USUAL_THREADS, os.cpu_count() or 1)
