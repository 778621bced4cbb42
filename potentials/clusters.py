"""How many cores a run takes unless told otherwise, and the most that it can have."""

from __future__ import annotations

import os

from jobs.clusters import cores_of
from jobs.models import Cluster

PROGRAM = "mlmd"  # the code that trains and moves atoms, as recipes name it
USUAL_THREADS = 2
MOST_THREADS = 1024  # where the scheduler knows the limit and we don't


def most_threads(cluster: Cluster) -> int:
    """Return the most cores that one run can have on a cluster."""
    return cores_of(cluster) or MOST_THREADS


def default_threads() -> int:
    """Return the cores that a form proposes."""
    return min(USUAL_THREADS, os.cpu_count() or 1)
