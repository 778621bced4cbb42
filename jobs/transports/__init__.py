"""Ways to reach a cluster; a new one is a file here and a line in the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobs.transports.base import Answer, Receipt, RemoteFile, Transport
from jobs.transports.local import LocalTransport
from jobs.transports.ssh import SshTransport
from jobs.transports.ssh_pool import acquire

if TYPE_CHECKING:
    from jobs.models import Cluster


def _local(cluster: Cluster) -> Transport:
    return LocalTransport()


def _ssh(cluster: Cluster) -> Transport:
    return SshTransport(acquire(cluster))


TRANSPORTS: dict[str, Callable[[Cluster], Transport]] = {"local": _local, "ssh": _ssh}


@contextmanager
def connection(cluster: Cluster) -> Iterator[Transport]:
    """Hold one connection to the cluster for as long as the block lasts."""
    transport = TRANSPORTS[cluster.transport](cluster)
    try:
        yield transport
    finally:
        transport.close()


__all__ = ["TRANSPORTS", "Answer", "Receipt", "RemoteFile", "Transport", "connection"]
