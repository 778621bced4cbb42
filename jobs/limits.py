"""What labs may use: said when a run is created, and enforced again before it is handed over."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.clusters import known_resources, resources_of
from jobs.endings import month_of
from jobs.models import Cluster, Job, Limit, Usage
from jobs.states import State
from jobs.storage import storage_of
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Role
from labs.selectors import role_in
from labs.templatetags.mlmd_tags import bytes_
from mlmd.launch import Resources

WORKING = (State.SUBMITTED, State.RUNNING, State.CANCELLING)
GB = 1e9  # bytes
What = Limit.What


@dataclass(frozen=True)
class Standing:
    """A limit and how much of it is used.

    Args:
        limit: as the manager set it.
        used: in the limit's own unit.
    """

    limit: Limit
    used: float

    @property
    def fraction(self) -> float:
        return min(1.0, self.used / self.limit.amount) if self.limit.amount else 1.0


@transaction.atomic
def limit_set(
    *, lab: Lab, actor: Any, what: str, amount: float | None, cluster: Cluster | None = None
) -> Limit | None:
    """Set what a lab may use; None takes the limit away.

    Args:
        lab: whose limit it is.
        actor: a manager of the lab.
        what: a word of `Limit.What`.
        amount: runs, node-hours or GB.
        cluster: that the limit is about; None: all clusters together.

    Raises:
        PermissionDenied: the actor manages another lab.
        Refused: an unknown word, a negative amount, or storage on a cluster.
    """
    if role_in(actor, lab) != Role.MANAGER:
        raise PermissionDenied(_("Only managers of the lab set its limits."))
    if what not in What.values:
        raise Refused(_("“%(what)s” can't be limited.") % {"what": what})
    if what == What.DISK and cluster is not None:
        raise Refused(_("Storage is counted on the portal, not on a cluster."))
    rows = Limit.objects.filter(lab=lab, what=what, cluster=cluster)
    audit_record(
        actor=actor, verb="limit set", target=lab, what=what, amount=amount, cluster=str(cluster)
    )
    if amount is None:
        rows.delete()
        return None
    if not 0 <= amount < 1e12:
        raise Refused(_("A limit is a number from 0 on; leave it empty for none."))
    row, _made = Limit.objects.update_or_create(
        lab=lab, what=what, cluster=cluster, defaults={"amount": amount}
    )
    return row


def check_new_run(*, lab: Lab, cluster: Cluster, asked: Mapping[str, Any]) -> None:
    """Refuse a run that could never be handed over within the lab's limits as they stand.

    Args:
        lab: that the run belongs to.
        cluster: where it is to run.
        asked: its resources, as `job_create` takes them.

    Raises:
        Refused: with the limit, what is used of it and what to do.
    """
    wanted = cost(known_resources(asked))
    for limit in _limits_of(lab, cluster):
        if limit.what == What.NODE_HOURS:
            used = hours_used(limit)
            if used + wanted > limit.amount:
                raise Refused(_node_hours_text(limit, used, wanted))
        elif limit.what == What.DISK:
            storage_check(lab)
        elif limit.amount < 1:
            raise Refused(
                _("The lab's managers let no runs start at present%(where)s.")
                % {"where": _where(limit)}
            )


def storage_check(lab: Lab, more: int = 0) -> None:
    """Refuse more data when a lab has used up its storage.

    Args:
        lab: that stores.
        more: bytes that are to be added.

    Raises:
        Refused: with the limit and what to do.
    """
    limit = Limit.objects.filter(lab=lab, what=What.DISK).first()
    if limit is None:
        return
    used = sum(size for _title, size in storage_of(lab))
    if used + more > limit.amount * GB:
        raise Refused(
            _(
                "The lab stores %(used)s and may store %(limit)s. Delete runs or uploads that are "
                "no longer needed, or ask a manager of the lab for more."
            )
            % {"used": bytes_(used), "limit": bytes_(limit.amount * GB)}
        )


class Admission:
    """Decides which waiting runs of a cluster may be handed over, in one look at it.

    Without limits it costs one query.

    Args:
        cluster: where the runs wait.
    """

    def __init__(self, cluster: Cluster) -> None:
        rows = Limit.objects.exclude(what=What.DISK).select_related("cluster")
        self.gates = [_Gate(row) for row in rows if row.cluster_id in {None, cluster.entry.pk}]

    def open_to(self, waiting: QuerySet[Job]) -> QuerySet[Job]:
        """Return the waiting runs without those that meet a limit which is used up.

        Those are told why. They are left out of the query itself, because one look takes only
        the first of those that wait: a lab at its limit must not keep the others out.
        """
        for gate in self.gates:
            if (shut := gate.shut()) is not None:
                waiting.filter(shut).exclude(queue_reason=gate.words()).update(
                    queue_reason=gate.words()
                )
                waiting = waiting.exclude(shut)
        return waiting

    def admit(self, job: Job) -> str:
        """Count a run in and return nothing, or return why it has to wait."""
        own = [gate for gate in self.gates if gate.limit.lab_id == job.lab_id]
        for gate in own:
            if words := gate.objection(job):
                return words
        for gate in own:
            gate.take(job)
        return ""


def standings(lab: Lab) -> list[Standing]:
    """Return the lab's limits with what is used of each."""
    rows = Limit.objects.filter(lab=lab).select_related("cluster", "lab")
    return [Standing(limit, _used(limit)) for limit in rows]


def cost(asked: Resources) -> float:
    """Return the node-hours that a run takes at most; the elements of an array each take nodes."""
    return asked.nodes * asked.at_once * asked.walltime_s / 3600


def hours_used(limit: Limit, month: datetime.date | None = None) -> float:
    """Return the node-hours that count against a limit this month."""
    rows = Usage.objects.filter(lab_id=limit.lab_id, month=month or month_of(timezone.now()))
    if limit.cluster_id:
        rows = rows.filter(cluster_id=limit.cluster_id)
    return float(rows.order_by().aggregate(total=Sum("node_hours"))["total"] or 0.0)


class _Gate:
    """One limit while runs are handed over: what is taken, and what would be too much."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        working = Job.objects.filter(lab_id=limit.lab_id, state__in=WORKING)
        if limit.cluster_id:
            here = Q(cluster_id=limit.cluster_id) | Q(cluster__shared_id=limit.cluster_id)
            working = working.filter(here)
        rows = list(working.only("owner_id", "resources").order_by())
        self.people = Counter(job.owner_id for job in rows)
        self.count = len(rows)
        self.hours = 0.0
        if limit.what == What.NODE_HOURS:
            self.used = hours_used(limit)
            self.hours = self.used + sum(cost(resources_of(job)) for job in rows)

    def shut(self) -> Q | None:
        """Return which runs can't go however small they are; None where any still could."""
        lab, amount = Q(lab_id=self.limit.lab_id), self.limit.amount
        if self.limit.what == What.RUNNING_PERSON:
            full = [person for person, count in self.people.items() if count + 1 > amount]
            return (lab & Q(owner_id__in=full)) if full else None
        if self.limit.what == What.NODE_HOURS:
            return lab if self.hours >= amount else None
        return lab if self.count + 1 > amount else None

    def objection(self, job: Job) -> str:
        """Return why this run has to wait; nothing where it may go."""
        amount = self.limit.amount
        if self.limit.what == What.NODE_HOURS:
            wanted = cost(resources_of(job))
            return self.words(wanted) if self.hours + wanted > amount else ""
        of_person = self.limit.what == What.RUNNING_PERSON
        count = self.people[job.owner_id] if of_person else self.count
        return self.words() if count + 1 > amount else ""

    def words(self, wanted: float = 0.0) -> str:
        """Return what the page of a run that waits for this limit says."""
        values = {"most": self.limit.amount, "where": _where(self.limit)}
        if self.limit.what == What.NODE_HOURS:
            why = _node_hours_text(self.limit, self.hours, wanted)
            return _("Waits: %(why)s") % {"why": why}
        if self.limit.what == What.RUNNING:
            return _("Waits: the lab may have %(most)g runs at once%(where)s.") % values
        return _("Waits: each person of the lab may have %(most)g runs at once%(where)s.") % values

    def take(self, job: Job) -> None:
        self.count += 1
        self.people[job.owner_id] += 1
        self.hours += cost(resources_of(job))


def _limits_of(lab: Lab, cluster: Cluster) -> list[Limit]:
    """Return the limits that a run on this cluster meets."""
    rows = Limit.objects.filter(lab=lab).select_related("cluster")
    return [row for row in rows if row.cluster_id in {None, cluster.pk}]


def _used(limit: Limit) -> float:
    if limit.what == What.DISK:
        return sum(size for _title, size in storage_of(limit.lab)) / GB
    if limit.what == What.NODE_HOURS:
        return hours_used(limit)
    gate = _Gate(limit)
    if limit.what == What.RUNNING:
        return float(gate.count)
    return float(max(gate.people.values(), default=0))


def _where(limit: Limit) -> str:
    return _(" on %(cluster)s") % {"cluster": limit.cluster} if limit.cluster else ""


def _node_hours_text(limit: Limit, used: float, wanted: float) -> str:
    return _(
        "this run may take %(wanted).3g node-hours, and of the lab's %(most)g a month%(where)s "
        "%(used).3g are used or promised. Ask for less time, wait for the next month, or ask a "
        "manager of the lab for more."
    ) % {"wanted": wanted, "most": limit.amount, "where": _where(limit), "used": used}
