"""What a person asks of a cluster beside what the run itself needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from jobs.clusters import known_resources
from jobs.models import Job
from mlmd.launch import Launch, Resources


@dataclass(frozen=True)
class Asked:
    """Resources that a person chose; None and empty leave it to the kind of run or the cluster.

    Args:
        nodes: how many.
        processes: of MPI, on each node.
        threads: of each process.
        gpus: on each node.
        memory_mb: on each node.
        walltime_s: time limit, s.
        queue: partition, queue or resource group.
        account: group or project that pays.
        continuations: how often the run may go on by itself after its time limit.
    """

    nodes: int | None = None
    processes: int | None = None
    threads: int | None = None
    gpus: int | None = None
    memory_mb: int | None = None
    walltime_s: int | None = None
    queue: str = ""
    account: str = ""
    continuations: int = 0

    def over(self, usual: Resources) -> dict[str, Any]:
        """Return the resources of a run as `job_create` takes them.

        Args:
            usual: what the kind of run would ask for by itself.
        """
        chosen = {
            name: value
            for name in ("nodes", "processes", "threads", "gpus", "memory_mb", "walltime_s")
            if (value := getattr(self, name)) is not None
        }
        return {
            **asdict(replace(usual, **chosen)),
            "queue": self.queue,
            "account": self.account,
            "continuations": self.continuations,
        }


NOTHING_ASKED = Asked()


def with_asked(launch: Launch, job: Job) -> Launch:
    """Return a launch that asks for what the job's creator chose.

    The estimate of memory of the one who prepared it counts where nobody chose otherwise.
    """
    return asking(launch, job.resources)


def asking(launch: Launch, resources: Mapping[str, Any]) -> Launch:
    """Return a launch that asks for these resources; see `with_asked`."""
    asked = known_resources(resources)
    own = launch.resources
    return replace(launch, resources=replace(asked, memory_mb=asked.memory_mb or own.memory_mb))


def asked_again(job: Job) -> Asked:
    """Return where and with what a run that repeats part of another one goes: to the same place."""
    known = known_resources(job.resources)
    return Asked(
        nodes=known.nodes,
        threads=known.threads,
        gpus=known.gpus,
        memory_mb=known.memory_mb,
        queue=str(job.resources.get("queue") or ""),
        account=str(job.resources.get("account") or ""),
    )
