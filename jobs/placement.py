"""Where on a cluster a run goes: queue, account, and whether it fits there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from jobs.models import Cluster, Job
from labs.exceptions import Refused
from labs.templatetags.mlmd_tags import duration
from mlmd.launch import Launch, Resources


@dataclass(frozen=True)
class Queue:
    """A queue, partition or resource group; None means that it has no such limit.

    Args:
        name: as the scheduler knows it.
        nodes: most nodes of a run.
        cores: cores of a node.
        gpus: most GPUs of a node.
        memory: of a node, GiB.
        hours: longest time limit.
        jobs: most jobs of the account at a time, elements of arrays among them.
        array: most elements of an array.
    """

    name: str
    nodes: int | None = None
    cores: int | None = None
    gpus: int | None = None
    memory: float | None = None
    hours: float | None = None
    jobs: int | None = None
    array: int | None = None


@dataclass(frozen=True)
class Placement:
    """What the head of the script says beside the resources."""

    queue: str = ""
    account: str = ""
    extra: tuple[str, ...] = ()


def queues_of(cluster: Cluster) -> tuple[Queue, ...]:
    """Return the cluster's queues, the preferred one first."""
    known = Queue.__dataclass_fields__
    return tuple(
        Queue(**{name: value for name, value in entry.items() if name in known})
        for entry in cluster.queues
    )


def place(job: Job, resources: Resources) -> Placement:
    """Return where a job goes: the queue it asked for, else the first one that it fits in.

    Raises:
        Refused: it fits nowhere, or asked for a queue that isn't there.
    """
    asked = job.resources
    account = str(asked.get("account") or job.cluster.account)
    if not is_account(account):
        raise Refused(_("“%(account)s” can't be a group or project.") % {"account": account})
    return Placement(
        queue=choose_queue(job.cluster, resources, str(asked.get("queue") or "")),
        account=account,
        extra=tuple(job.cluster.options.get("directives", ())),
    )


def is_account(word: str) -> bool:
    """Whether a word can be an account, a group or a project; nothing is one, too."""
    return re.fullmatch(r"[\w.+@-]*", word) is not None


def choose_queue(cluster: Cluster, resources: Resources, asked: str = "") -> str:
    """Return the name of the queue for these resources; empty where the cluster lists none.

    Raises:
        Refused: with what doesn't fit, and where the limit is.
    """
    queues = queues_of(cluster)
    if asked:
        named = [queue for queue in queues if queue.name == asked]
        if not named:
            raise Refused(
                _("Cluster “%(cluster)s” has no queue “%(queue)s”; it has: %(known)s.")
                % {
                    "cluster": cluster,
                    "queue": asked,
                    "known": ", ".join(queue.name for queue in queues) or _("none"),
                }
            )
        queues = tuple(named)
    complaints = []
    for queue in queues:
        excess = _excess(queue, resources)
        if not excess:
            return queue.name
        complaints.append(f"{queue.name}: {excess}")
    if complaints:
        raise Refused(
            _("The run doesn't fit cluster “%(cluster)s” (%(why)s). Ask for less.")
            % {"cluster": cluster, "why": "; ".join(complaints)}
        )
    return ""


def lanes_allowed(cluster: Cluster, queue: str, launch: Launch) -> int:
    """Return how many parts of a run may work at the same time: as asked, within the queue's limits.

    What doesn't fit isn't refused: fewer lanes take more parts each.
    """
    limits = [max(1, launch.resources.at_once), max(1, len(launch.parts))]
    for known in queues_of(cluster):
        if known.name == queue:
            limits += [limit for limit in (known.jobs, known.array) if limit]
    return min(limits)


def _excess(queue: Queue, asked: Resources) -> str:
    """Return in words the first limit that is exceeded; nothing when all are kept."""
    cores = asked.processes * asked.threads
    limits: tuple[tuple[float, float | None, Any, Any], ...] = (
        (asked.nodes, queue.nodes, _("nodes"), str),
        (cores, queue.cores, _("cores per node"), str),
        (asked.gpus, queue.gpus, _("GPUs"), str),
        (
            (asked.memory_mb or 0) / 1024,
            queue.memory,
            _("memory per node"),
            lambda value: f"{value:.1f} GiB",
        ),
        (
            asked.walltime_s,
            None if queue.hours is None else queue.hours * 3600,
            _("time"),
            duration,
        ),
    )
    for value, limit, what, shown in limits:
        if limit is not None and value > limit:
            return _("%(what)s: %(value)s asked, %(limit)s allowed") % {
                "what": what,
                "value": shown(value),
                "limit": shown(limit),
            }
    return ""
