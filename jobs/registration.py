"""The writers of clusters: a lab's managers register, change and connect them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.accounts import hand_down, is_work_folder
from jobs.cluster_text import (
    queues_from_text,
    queues_to_text,
    recipes_from_text,
    recipes_to_text,
)
from jobs.containers import (
    NONE,
    RUNTIMES,
    USUAL_LAUNCHER,
    binds_from_text,
    launcher_from_text,
)
from jobs.keys import fingerprint, make_key, take_key
from jobs.models import Cluster, Credential, Job
from jobs.nudge import nudge
from jobs.presets import PLACEHOLDERS
from jobs.schedulers import SCHEDULERS
from jobs.states import State
from jobs.transports.ssh_link import parse_hops
from jobs.transports.ssh_pool import CODE_LIFE
from jobs.vault import seal
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Role, Visibility
from labs.selectors import may_create, role_in

_HOST = re.compile(r"[A-Za-z0-9]([\w.-]*\w)?")
_WORD = re.compile(r"[\w.+@-]*")
_PLAIN = (
    *("name", "description", "host", "port", "login", "jump_hosts", "scheduler"),
    *("account", "cores", "is_active"),
)


@dataclass(frozen=True)
class ClusterSettings:
    """What a manager says about a cluster; texts are lines as `jobs.cluster_text` reads them."""

    name: str
    host: str
    login: str
    scheduler: str
    work_dir: str
    description: str = ""
    port: int = 22
    jump_hosts: str = ""
    account: str = ""
    queues: str = ""
    recipes: str = ""
    setup: str = ""
    container: str = "apptainer"
    binds: str = ""
    mpi: str = shlex.join(USUAL_LAUNCHER)
    directives: str = ""
    cores: int | None = None
    poll_interval_s: float = 10.0
    is_active: bool = True


def settings_of(cluster: Cluster) -> ClusterSettings:
    """Return what was said about a registered cluster."""
    options = cluster.options
    return ClusterSettings(
        **{name: getattr(cluster, name) for name in _PLAIN},
        work_dir=cluster.work_dir,
        queues=queues_to_text(cluster.queues),
        recipes=recipes_to_text(cluster.recipes),
        setup=cluster.setup,
        container=options.get("container", NONE),
        binds="\n".join(options.get("binds", ())),
        mpi=shlex.join(options.get("mpi", USUAL_LAUNCHER)),
        directives="\n".join(options.get("directives", ())),
        poll_interval_s=float(options.get("poll_interval_s", 10.0)),
    )


@transaction.atomic
def cluster_create(*, owner: Any, lab: Lab, settings: ClusterSettings) -> Cluster:
    """Register a cluster for a lab, with a new key to install there.

    Raises:
        Refused: a setting makes no sense, or the name is taken.
        PermissionDenied: only managers of the lab may.
    """
    _must_manage(owner, lab)
    cluster = Cluster(owner=owner, lab=lab, visibility=Visibility.LAB, transport="ssh")
    _apply(cluster, settings)
    cluster.save()
    private, public = make_key()
    Credential.objects.create(
        cluster=cluster,
        method=Credential.Method.KEY,
        secret=seal(private),
        public_key=public,
        changed_by=owner,
    )
    audit_record(actor=owner, verb="cluster registered", target=cluster, host=cluster.host)  # type: ignore[arg-type]
    return cluster


@transaction.atomic
def cluster_update(*, cluster: Cluster, actor: Any, settings: ClusterSettings) -> Cluster:
    """Change a registered cluster; runs on their way keep their folders.

    Raises:
        Refused: a setting makes no sense, or runs would lose their way.
        PermissionDenied: only managers of its lab may.
    """
    _must_be_shared(cluster)
    _must_manage(actor, cluster.lab)
    moved = (cluster.host, cluster.login, cluster.work_dir, cluster.scheduler) != (
        settings.host,
        settings.login,
        settings.work_dir.rstrip("/"),
        settings.scheduler,
    )
    if moved and _working(cluster).exists():
        raise Refused(
            _(
                "Runs are on their way here: host, account, scheduler and work folder can change "
                "when they have ended. Close the cluster for new runs until then."
            )
        )
    _apply(cluster, settings)
    cluster.save()
    hand_down(cluster)
    audit_record(actor=actor, verb="cluster changed", target=cluster, host=cluster.host)  # type: ignore[arg-type]
    return cluster


@transaction.atomic
def cluster_open(*, cluster: Cluster, actor: Any, is_active: bool) -> None:
    """Open a cluster for new runs or close it; runs on their way go on."""
    _must_be_shared(cluster)
    _must_manage(actor, cluster.lab)
    Cluster.objects.filter(Q(pk=cluster.pk) | Q(shared=cluster)).update(is_active=is_active)
    verb = "cluster opened" if is_active else "cluster closed"
    audit_record(actor=actor, verb=verb, target=cluster)  # type: ignore[arg-type]


@transaction.atomic
def credential_set(
    *,
    cluster: Cluster,
    actor: Any,
    method: str,
    secret: str = "",
    passphrase: str = "",
) -> None:
    """Store how the portal signs in, and try again.

    Args:
        cluster: a registered one.
        actor: a manager of its lab.
        method: ``generate``, ``key``, ``password`` or ``code`` (a one-time code, kept for minutes).
        secret: the key, password or code; nothing for ``generate``.
        passphrase: of an uploaded key.

    Raises:
        Refused: what was entered can't be used.
        PermissionDenied: only managers of the cluster's lab may.
    """
    _must_set_up(actor, cluster)
    values: dict[str, Any] = {"changed_by": actor, "changed_at": timezone.now()}
    if method in {"generate", "key"}:
        private, public = make_key() if method == "generate" else take_key(secret, passphrase)
        values |= {
            "method": Credential.Method.KEY,
            "secret": seal(private),
            "public_key": public,
        }
    elif not secret:
        raise Refused(_("Enter the password or code."))
    elif method == "password":
        values |= {
            "method": Credential.Method.PASSWORD,
            "secret": seal(secret),
            "public_key": "",
        }
    elif method == "code":
        values |= {"one_time": seal(secret), "one_time_until": timezone.now() + CODE_LIFE}
    else:
        raise Refused(_("“%(word)s” is no way to sign in.") % {"word": method})
    if not Credential.objects.filter(cluster=cluster).update(**values):
        raise Refused(_("This cluster needs no credentials."))
    audit_record(actor=actor, verb="cluster credentials changed", target=cluster, method=method)  # type: ignore[arg-type]
    if method != "generate":
        _reconnect(cluster)


@transaction.atomic
def credential_refer(*, cluster: Cluster, key_file: Path | None) -> None:
    """Sign in with a key of this server, which is not stored: for its operators, who have a shell.

    Args:
        cluster: a registered one.
        key_file: private key without a passphrase; None for the keys of the SSH agent.

    Raises:
        Refused: the file holds no such key, or the cluster needs no credentials.
    """
    values: dict[str, Any] = {"changed_by": None, "changed_at": timezone.now(), "public_key": ""}
    if key_file is None:
        values |= {"method": Credential.Method.AGENT, "secret": seal("")}
    else:
        path = key_file.resolve()
        try:
            _private, values["public_key"] = take_key(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(
                _("%(path)s can't be read: %(error)s") % {"path": path, "error": error}
            ) from error
        values |= {"method": Credential.Method.KEY_FILE, "secret": seal(str(path))}
    if not Credential.objects.filter(cluster=cluster).update(**values):
        raise Refused(_("This cluster needs no credentials."))
    audit_record(
        actor=None,
        verb="cluster credentials changed",
        target=cluster,  # type: ignore[arg-type]
        method=str(values["method"]),
    )
    _reconnect(cluster)


@transaction.atomic
def host_key_confirm(*, cluster: Cluster, actor: Any, place: str, shown: str) -> None:
    """Trust the host key with this fingerprint from now on.

    Raises:
        Refused: the last probe saw no such key there.
        PermissionDenied: only managers of the cluster's lab may.
    """
    _must_be_shared(cluster)
    _must_manage(actor, cluster.lab)
    line = cluster.probe.get("host_keys", {}).get(place, "")
    if not line or fingerprint(line) != shown:
        raise Refused(
            _("%(place)s showed another key: probe the cluster again.") % {"place": place}
        )
    known = {**cluster.known_hosts, place: line}
    Cluster.objects.filter(pk=cluster.pk).update(known_hosts=known)
    cluster.known_hosts = known
    hand_down(cluster)
    audit_record(
        actor=actor,
        verb="cluster host key confirmed",
        target=cluster,  # type: ignore[arg-type]
        place=place,
        fingerprint=shown,
    )
    _reconnect(cluster)


@transaction.atomic
def probe_ask(*, cluster: Cluster, actor: Any) -> None:
    """Have a worker look at the cluster; its page shows the answer.

    Raises:
        Refused: the built-in cluster needs none.
        PermissionDenied: only managers of the cluster's lab may.
    """
    _must_set_up(actor, cluster)
    _reconnect(cluster)


def _reconnect(cluster: Cluster) -> None:
    """A person has acted: forget what kept us away, look, and let blocked runs go on."""
    now = timezone.now()
    probe = {"host_keys": cluster.probe.get("host_keys", {}), "asked": True}
    Cluster.objects.filter(pk=cluster.pk).update(
        reconnect_reason="",
        login_failures=0,
        login_not_before=None,
        failures=0,
        trouble="",
        next_poll_at=None,
        probe=probe,
    )
    cluster.refresh_from_db()
    Job.objects.filter(cluster=cluster, state=State.BLOCKED).update(next_step_at=now)
    # The sweep looks at its runs; two logins at once would be one too many.
    nudge("jobs.tasks.probe", cluster.pk)


def _working(cluster: Cluster) -> Any:
    ended = [State.DONE, State.FAILED, State.CANCELLED]
    return Job.objects.filter(Q(cluster=cluster) | Q(cluster__shared=cluster)).exclude(
        state__in=ended
    )


def _must_set_up(actor: Any, cluster: Cluster) -> None:
    """Let managers set up the lab's entries, and each person the own accounts."""
    if cluster.shared_id is None:
        _must_manage(actor, cluster.lab)
    elif actor.pk != cluster.owner_id or not may_create(actor, cluster.lab):
        raise PermissionDenied(_("This account belongs to somebody else."))


def _must_be_shared(cluster: Cluster) -> None:
    if cluster.shared_id is not None:
        raise Refused(_("An account follows the lab's entry of the cluster: change it there."))


def _must_manage(actor: Any, lab: Lab | None) -> None:
    if lab is None:
        raise PermissionDenied(_("The built-in cluster belongs to the portal's operators."))
    if role_in(actor, lab) != Role.MANAGER:
        raise PermissionDenied(_("Only managers of “%(lab)s” set up its clusters.") % {"lab": lab})


def _apply(cluster: Cluster, settings: ClusterSettings) -> None:
    _check(settings)
    taken = Cluster.objects.filter(lab=cluster.lab, name=settings.name).exclude(pk=cluster.pk)
    if taken.exists():
        raise Refused(_("The lab has a cluster “%(name)s” already.") % {"name": settings.name})
    for name in _PLAIN:
        setattr(cluster, name, getattr(settings, name))
    cluster.work_dir = settings.work_dir.rstrip("/")
    cluster.setup = "\n".join(settings.setup.splitlines())
    cluster.queues = queues_from_text(settings.queues)
    cluster.recipes = recipes_from_text(settings.recipes, cluster.recipes)
    cluster.options = {
        **cluster.options,
        "container": settings.container,
        "binds": binds_from_text(settings.binds),
        "mpi": launcher_from_text(settings.mpi),
        "directives": [line.strip() for line in settings.directives.splitlines() if line.strip()],
        "poll_interval_s": settings.poll_interval_s,
    }


def _check(settings: ClusterSettings) -> None:
    complaints = {
        _("Host: write a host name or address."): not _HOST.fullmatch(settings.host),
        _("Account: letters, digits and . _ + @ - only."): not settings.login
        or not _WORD.fullmatch(settings.login),
        _("Group or project: letters, digits and . _ + @ - only."): not _WORD.fullmatch(
            settings.account
        ),
        _("Work folder: an absolute path of at least two levels, like /group/gx00/portal."): (
            not is_work_folder(settings.work_dir)
        ),
        _("Replace GROUP and USER in the work folder and the codes by your own."): any(
            word in re.split(r"[/\s]", f"{settings.work_dir} {settings.recipes}")
            for word in PLACEHOLDERS
        ),
        _("Scheduler: unknown."): settings.scheduler not in SCHEDULERS,
        _("Container runtime: apptainer, singularity or none."): settings.container not in RUNTIMES,
        _("Port: 1 to 65535."): not 0 < settings.port < 65536,
        _("Name: enter one."): not settings.name.strip(),
        _("Seconds between two looks: at least 2."): settings.poll_interval_s < 2,
    }
    for words, wrong in complaints.items():
        if wrong:
            raise Refused(words)
    try:
        parse_hops(settings.jump_hosts, settings.login)
    except ValueError as error:
        raise Refused(
            _("Jump host “%(part)s”: write user@host:port, several separated by commas.")
            % {"part": error}
        ) from None
