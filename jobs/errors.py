"""What can go wrong between the site and a cluster; never match on a message's text."""

from __future__ import annotations


class JobsError(Exception):
    """Base of the room's errors."""


class IllegalMove(JobsError):
    """The table of moves doesn't know this move: a defect of the caller."""


class Overtaken(JobsError):
    """Somebody else moved the job, or took its lease, in the meantime: stop quietly."""


class ClusterTrouble(JobsError):
    """The cluster can't be reached or used just now; trying again later may help.

    Args:
        message: what happened, for the person who waits.
        needs_person: waiting alone won't help (quota, credentials, a missing program).
    """

    def __init__(self, message: str, *, needs_person: bool = False) -> None:
        self.needs_person = needs_person
        super().__init__(message)


class LinkTrouble(ClusterTrouble):
    """The connection failed, not what was asked for: it concerns the cluster, no single run."""


class NotYetClear(ClusterTrouble):
    """Whether it was done shows after a while; waiting for that is no failure."""


class TransferDamaged(ClusterTrouble):
    """A file arrived with another size or checksum than it left with."""


class SubmissionRefused(JobsError):
    """The scheduler looked at the job and said no; asking again gives the same answer."""


class UnknownKind(JobsError):
    """No room has registered this kind of job."""
