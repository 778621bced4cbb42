"""Few connections and fewer logins: links are shared, and logins wait for each other.

Clusters ban accounts that sign in too often. A worker process keeps one link per account and
machine; all workers together wait `LOGIN_INTERVAL` between two logins, noted in the database, and
longer after each that failed. A refused login is not repeated until a person acts.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.errors import ClusterTrouble, LinkTrouble
from jobs.keys import take_key
from jobs.models import Cluster, Credential
from jobs.transports.ssh_link import (
    Hop,
    Link,
    Secrets,
    SignInRefused,
    UnknownHost,
    open_link,
    parse_hops,
)
from jobs.vault import unseal
from labs.exceptions import Refused

LOGIN_INTERVAL = 1.0  # s between two logins of the same account on the same machine
FIRST_WAIT, LONGEST_WAIT = 5.0, 600.0  # s after a login that failed
PATIENCE = 5.0  # s that a step waits for its turn before it is put off
IDLE_LIMIT = 600.0  # s after which an unused link is closed
CODE_LIFE = datetime.timedelta(minutes=3)
"""How long an entered one-time code is kept; most are valid for less."""


@dataclass
class _Slot:
    """The place of one link; its lock lets one thread sign in while the others wait."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    link: Link | None = None
    used: float = field(default_factory=time.monotonic)


_slots: dict[tuple[object, ...], _Slot] = {}
_slots_lock = threading.Lock()


def hops_of(cluster: Cluster) -> tuple[Hop, ...]:
    """Return the machines on the way to the cluster, the cluster last."""
    return (
        *parse_hops(cluster.jump_hosts, cluster.login),
        Hop(cluster.host, cluster.port, cluster.login),
    )


def acquire(cluster: Cluster) -> Link:
    """Return a living link to the cluster, signing in when there is none.

    Raises:
        ClusterTrouble: no link now; with `needs_person` where only a person can help.
    """
    key = _key(cluster)
    _close_idle(key)
    with _slots_lock:
        slot = _slots.setdefault(key, _Slot())
    with slot.lock:
        slot.used = time.monotonic()
        if slot.link is not None and slot.link.is_alive:
            return slot.link
        if slot.link is not None:
            slot.link.close()
            slot.link = None
        slot.link = _sign_in(cluster)
        return slot.link


def discard(link: Link) -> None:
    """Close a link that failed; the next user signs in again."""
    link.close()


def close_all() -> None:
    """Close every link of this process."""
    with _slots_lock:
        for slot in _slots.values():
            if slot.link is not None:
                slot.link.close()
        _slots.clear()


def _key(cluster: Cluster) -> tuple[object, ...]:
    # The process: a forked child must not talk over its parent's connection.
    return (os.getpid(), cluster.host, cluster.port, cluster.login, cluster.jump_hosts, cluster.pk)


def _close_idle(wanted: tuple[object, ...]) -> None:
    now = time.monotonic()
    with _slots_lock:
        for key, slot in list(_slots.items()):
            idle = key != wanted and now - slot.used > IDLE_LIMIT and not slot.lock.locked()
            if idle and slot.link is not None:
                slot.link.close()
                del _slots[key]


def _sign_in(cluster: Cluster) -> Link:
    row = Cluster.objects.get(pk=cluster.pk)
    if row.reconnect_reason:
        raise ClusterTrouble(row.reconnect_reason, needs_person=True)
    _wait_for_turn(row)
    secrets = secrets_of(row)
    peers = _same_account(row)
    try:
        link = open_link(hops_of(row), row.known_hosts, secrets)
    except (SignInRefused, UnknownHost) as error:
        Cluster.objects.filter(pk=row.pk).update(reconnect_reason=str(error))
        raise
    except ClusterTrouble:
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(row.login_failures, 10))
        peers.update(
            login_failures=F("login_failures") + 1,
            login_not_before=timezone.now() + datetime.timedelta(seconds=wait),
        )
        raise
    peers.update(login_failures=0)
    return link


def _same_account(cluster: Cluster):  # type: ignore[no-untyped-def]  # a query set
    return Cluster.objects.filter(host=cluster.host, port=cluster.port, login=cluster.login)


def _wait_for_turn(cluster: Cluster) -> None:
    """Take the next turn to sign in; of several workers one gets it.

    Raises:
        ClusterTrouble: the turn comes too late to wait for it.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        now = timezone.now()
        free = Q(login_not_before__isnull=True) | Q(login_not_before__lte=now)
        following = now + datetime.timedelta(seconds=LOGIN_INTERVAL)
        others = _same_account(cluster).exclude(pk=cluster.pk)
        mine = Cluster.objects.filter(free, pk=cluster.pk)
        if not others.exclude(free).exists() and mine.update(login_not_before=following):
            others.update(login_not_before=following)
            return
        if time.monotonic() > deadline:
            raise LinkTrouble(
                _("The portal waits before it signs in on %(host)s again.") % {"host": cluster.host}
            )
        time.sleep(0.1)


def key_in_file(path: str) -> tuple[str, str]:
    """Return the private and the public half of a key in a file of this server.

    Raises:
        ClusterTrouble: it isn't there, or holds no key; its content is never quoted.
    """
    try:
        return take_key(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Refused):
        raise ClusterTrouble(
            _(
                "The key file of this cluster can't be read on the portal's server: ask its operator."
            ),
            needs_person=True,
        ) from None


def secrets_of(cluster: Cluster) -> Secrets:
    """Return what signs in on the cluster; a one-time code is given out once.

    Raises:
        SignInRefused: nobody has entered anything.
        ClusterTrouble: what is stored can't be read.
    """
    credential = Credential.objects.filter(cluster=cluster).first()
    if credential is None:
        raise SignInRefused(_("No key or password is stored for this cluster: enter one."))
    secret, code = unseal(credential.secret), ""
    if credential.one_time:
        taken = Credential.objects.filter(
            pk=credential.pk, one_time=credential.one_time, one_time_until__gt=timezone.now()
        ).update(one_time="", one_time_until=None)
        code = unseal(credential.one_time) if taken else ""
    if credential.method == Credential.Method.KEY:
        return Secrets(key=secret, one_time=code)
    if credential.method == Credential.Method.KEY_FILE:
        return Secrets(key=key_in_file(secret)[0], one_time=code)
    if credential.method == Credential.Method.AGENT:
        return Secrets(agent=True, one_time=code)
    return Secrets(password=secret, one_time=code)
