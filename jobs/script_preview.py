"""The script of a run before it is started: the same text, with noughts for what isn't known yet."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.clusters import known_resources
from jobs.limits import check_new_run
from jobs.models import Cluster, Job
from jobs.placement import lanes_allowed, place
from jobs.staging import script_of
from labs.models import Lab
from labs.templatetags.mlmd_tags import duration
from mlmd.launch import Launch, Resources

NOT_YET = uuid.UUID(int=0)


@dataclass(frozen=True)
class ScriptPreview:
    """What would be handed over.

    Args:
        script: its text; the run's number, folder and token are noughts.
        queue: that it would go to; empty where the cluster lists none.
        resources: that it asks for.
        sentence: the resources in words.
    """

    script: str
    queue: str
    resources: Resources
    sentence: str


def script_preview(
    *, lab: Lab, kind: str, cluster: Cluster, asked: Mapping[str, Any], launch: Launch
) -> ScriptPreview:
    """Return the script of a run that was not created yet.

    Args:
        lab: that it would belong to.
        kind: name of its kind.
        cluster: where it would run.
        asked: resources, queue and account as `job_create` takes them.
        launch: what would be launched, with its resources.

    Raises:
        Refused: it fits in no queue, or not within the lab's limits.
        mlmd.errors.InvalidInput: the cluster doesn't know how to start one of the codes.
    """
    check_new_run(lab=lab, cluster=cluster, asked=asdict(launch.resources))
    job = Job(
        pk=0,
        public_id=NOT_YET,
        kind=kind,
        cluster=cluster,
        lab=lab,
        resources=dict(asked),
        token=NOT_YET.hex,
    )
    placement = place(job, launch.resources)
    lanes = lanes_allowed(cluster, placement.queue, launch)
    launch = replace(launch, resources=replace(launch.resources, at_once=lanes))
    return ScriptPreview(
        script_of(job, launch, placement),
        placement.queue,
        launch.resources,
        resources_sentence(launch.resources, cluster, placement.queue),
    )


def resources_sentence(asked: Resources, cluster: Cluster, queue: str) -> str:
    """Return in one sentence what a run asks for, and of whom."""
    parts = []
    if asked.nodes > 1:
        parts.append(_("%(count)d nodes with") % {"count": asked.nodes})
    cores = {"processes": asked.processes, "threads": asked.threads}
    if asked.processes > 1:
        parts.append(_("%(processes)d × %(threads)d cores") % cores)
    else:
        parts.append(ngettext("%(threads)d core", "%(threads)d cores", asked.threads) % cores)
    if asked.gpus:
        parts.append(_("and %(count)d GPU") % {"count": asked.gpus})
    if asked.memory_mb:
        parts.append(_("and %(size).1f GiB of memory") % {"size": asked.memory_mb / 1024})
    what = " ".join(parts)
    if asked.at_once > 1:
        what = _("%(what)s, %(count)d at a time") % {"what": what, "count": asked.at_once}
    words = {
        "what": what,
        "time": duration(asked.walltime_s),
        "cluster": cluster,
        "queue": queue,
    }
    if queue:
        return _("Asks %(cluster)s, queue %(queue)s, for %(what)s, at most %(time)s.") % words
    return _("Asks %(cluster)s for %(what)s, at most %(time)s.") % words


def fits(cluster: Cluster, asked: Mapping[str, Any]) -> None:
    """Check resources against the limits of the cluster's queues.

    Raises:
        Refused: with what doesn't fit, and where the limit is.
    """
    place(Job(cluster=cluster, resources=dict(asked)), known_resources(asked))
