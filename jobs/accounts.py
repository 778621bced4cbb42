"""A person's own account on a cluster of the lab: a second entry that follows the first.

The lab's entry says how the cluster is; the person's has a login, a work folder and credentials of its
own. Runs of that person which are sent to the lab's entry go under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from jobs.keys import make_key
from jobs.models import Cluster, Credential, Job
from jobs.placement import is_account
from jobs.states import FINAL
from jobs.vault import seal
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Visibility
from labs.selectors import may_create

FOLLOWED = (
    *("description", "is_active", "scheduler", "cores", "recipes", "options", "queues", "setup"),
    *("host", "port", "jump_hosts", "known_hosts"),
)
"""What the lab's entry decides for all accounts."""


@dataclass(frozen=True)
class OwnAccount:
    """What a person says about an account.

    Args:
        login: on the cluster.
        work_dir: an absolute folder of that account, seen by the compute nodes.
        account: group or project that pays; empty for the lab's.
    """

    login: str
    work_dir: str
    account: str = ""


def account_of(user: Any, cluster: Cluster) -> Cluster | None:
    """Return the entry of a person's own account on a cluster of the lab, if there is one."""
    return Cluster.objects.filter(shared=cluster, owner=user, credential__isnull=False).first()


@transaction.atomic
def account_open(*, cluster: Cluster, actor: Any, own: OwnAccount) -> Cluster:
    """Let a person's runs on a cluster go under an account of their own.

    Args:
        cluster: the lab's entry.
        actor: somebody who works in its lab.
        own: the account.

    Returns:
        The entry of the account, with a new key to install there.

    Raises:
        Refused: what was entered makes no sense, or there is one already.
        PermissionDenied: guests, and people of other labs, can't.
    """
    _may(actor, cluster)
    if cluster.transport != "ssh" or cluster.shared_id is not None:
        raise Refused(_("Accounts are for clusters that the lab registered."))
    if account_of(actor, cluster) is not None:
        raise Refused(_("Your runs there go under an account of yours already."))
    entry = Cluster.objects.filter(shared=cluster, owner=actor).first()
    if entry is None:
        entry = Cluster(shared=cluster, owner=actor, lab=cluster.lab, transport="ssh")
    _check(own)
    entry.visibility = Visibility.PRIVATE
    entry.login, entry.work_dir = own.login, own.work_dir.rstrip("/")
    entry.account = own.account or cluster.account
    entry.name = f"{cluster.name} · {own.login}"[:80]
    for name in FOLLOWED:
        setattr(entry, name, getattr(cluster, name))
    entry.save()
    private, public = make_key()
    Credential.objects.create(
        cluster=entry,
        method=Credential.Method.KEY,
        secret=seal(private),
        public_key=public,
        changed_by=actor,
    )
    audit_record(actor=actor, verb="own account used", target=cluster, login=own.login)  # type: ignore[arg-type]
    return entry


@transaction.atomic
def account_close(*, cluster: Cluster, actor: Any) -> None:
    """Let further runs of a person go under the lab's account again; the key is forgotten.

    Raises:
        Refused: there is no such account, or runs are on their way under it.
    """
    entry = account_of(actor, cluster)
    if entry is None:
        raise Refused(_("Your runs there go under the lab's account."))
    if Job.objects.filter(cluster=entry).exclude(state__in=sorted(FINAL)).exists():
        raise Refused(_("Runs are on their way under this account: wait for them or cancel them."))
    Credential.objects.filter(cluster=entry).delete()
    audit_record(actor=actor, verb="own account no longer used", target=cluster)  # type: ignore[arg-type]


def hand_down(cluster: Cluster) -> None:
    """Let the accounts on a cluster follow what its entry says now."""
    values = {name: getattr(cluster, name) for name in FOLLOWED}
    Cluster.objects.filter(shared=cluster).update(**values)


def _may(actor: Any, cluster: Cluster) -> None:
    if cluster.lab is None or not may_create(actor, cluster.lab):
        raise PermissionDenied(_("Only people who work in its lab use accounts on a cluster."))


def _check(own: OwnAccount) -> None:
    if not own.login or not is_account(own.login):
        raise Refused(_("Account: letters, digits and . _ + @ - only."))
    if not is_account(own.account):
        raise Refused(_("Group or project: letters, digits and . _ + @ - only."))
    if not is_work_folder(own.work_dir):
        raise Refused(
            _("Work folder: an absolute path of at least two levels, like /group/gx00/portal.")
        )


def is_work_folder(path: str) -> bool:
    """Whether a path can be the folder of runs: absolute, deep enough, and nothing else in it."""
    return (
        path.startswith("/")
        and path.rstrip("/").count("/") >= 2
        and ".." not in path.split("/")
        and path.isprintable()
    )
