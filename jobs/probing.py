"""Looking at a cluster before anything runs there, and noting what was learned."""

from __future__ import annotations

import shlex
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.containers import NONE
from jobs.errors import ClusterTrouble
from jobs.models import Cluster
from jobs.schedulers import SCHEDULERS
from jobs.transports import Transport, connection
from jobs.transports.ssh_link import read_host_keys
from jobs.transports.ssh_pool import hops_of, secrets_of

LABELS = {
    "sign_in": gettext_lazy("Sign in"),
    "programs": gettext_lazy("Needed programs"),
    "scheduler": gettext_lazy("Scheduler"),
    "queue": gettext_lazy("Queue view"),
    "folder": gettext_lazy("Work folder"),
    "space": gettext_lazy("Free space"),
    "quota": gettext_lazy("Quota"),
    "container": gettext_lazy("Container runtime"),
    "codes": gettext_lazy("Codes"),
}
_VERSIONS = {
    "slurm": "sbatch --version",
    "pbs": "qstat --version 2>&1",
    "pjm": "command -v pjsub && (pjstat -V 2>&1 | head -n 2; true)",
    "direct": "uname -sr",
}
_PROGRAMS = "for p in sh find sha256sum stat base64 awk tar head; do command -v $p >/dev/null || { echo $p; exit 1; }; done; echo complete"
# Each file system has its own command; none of them is no mistake.
_QUOTA = (
    'lfs quota -h -u "$(id -un)" {folder} 2>/dev/null | head -n 6 || true; '
    "quota -s 2>/dev/null | tail -n 4 || true"
)
_TEXT_LIMIT = 1500


def probe(cluster_pk: int) -> None:
    """Look at a cluster; whatever is found, or goes wrong, stands in its row afterwards."""
    cluster = Cluster.objects.filter(pk=cluster_pk, transport="ssh").first()
    if cluster is None:
        return
    result: dict[str, Any] = {"host_keys": {}, "checks": []}
    try:
        result["host_keys"] = read_host_keys(
            hops_of(cluster), cluster.known_hosts, lambda: secrets_of(cluster)
        )
        if all(cluster.known_hosts.get(hop.place) for hop in hops_of(cluster)):
            with connection(cluster) as transport:
                result["checks"] = _checks(cluster, transport)
    except ClusterTrouble as error:
        result["checks"].append(_entry("sign_in", False, str(error)))
    now = timezone.now()
    values: dict[str, Any] = {"probe": result, "probed_at": now}
    if any(check["name"] == "sign_in" and check["ok"] for check in result["checks"]):
        values["contacted_at"] = now
    Cluster.objects.filter(pk=cluster.pk).update(**values)


def _checks(cluster: Cluster, transport: Transport) -> list[dict[str, Any]]:
    folder = shlex.quote(cluster.work_dir)
    trial = shlex.quote(f"{cluster.work_dir}/.mlmd-probe")
    commands = {
        "programs": _PROGRAMS,
        "scheduler": _VERSIONS[cluster.scheduler],
        "folder": (
            f"mkdir -p -- {folder} && : > {trial} && rm -f -- {trial} && ls -ld -- {folder}"
        ),
        "space": f"df -Ph -- {folder} | tail -n 1",
    }
    runtime = cluster.options.get("container", NONE)
    if runtime != NONE:
        commands["container"] = f"{_setup(cluster)}{shlex.quote(runtime)} --version"
    greeting = _("Signed in on %(host)s as %(login)s.")
    found = [_entry("sign_in", True, greeting % {"host": cluster.host, "login": cluster.login})]
    for name, command in commands.items():
        answer = transport.run(command, timeout=30)
        found.append(_entry(name, answer.code == 0, answer.out.strip() or answer.err.strip()))
    if cluster.recipes:
        found.append(_codes(cluster, transport))
    quota = transport.run(_QUOTA.format(folder=folder), timeout=30).out.strip()
    if quota:
        found.append(_entry("quota", True, quota))
    found.append(_queue(cluster, transport))
    return found


def _setup(cluster: Cluster) -> str:
    """Return the lines before every program, as the start of a command."""
    return "".join(f"{line}\n" for line in cluster.setup.splitlines())


def _codes(cluster: Cluster, transport: Transport) -> dict[str, Any]:
    """Look for the program, or the image, of each recipe after the lines before every program.

    A program inside of an image isn't looked for: login nodes may not start containers.
    """
    tests = []
    for code, entry in sorted(cluster.recipes.items()):
        name, image = shlex.quote(code), entry.get("image")
        test = (
            f"test -r {shlex.quote(image)}"
            if image
            else f"command -v {shlex.quote(entry['argv'][0])} >/dev/null"
        )
        place = shlex.quote(image or entry["argv"][0])
        tests.append(
            f"if {test}; then echo {name}: {place}; else echo {name}: {place} is missing; bad=1; fi"
        )
    command = f"{_setup(cluster)}bad=0\n" + "\n".join(tests) + "\nexit $bad"
    answer = transport.run(command, timeout=60)
    return _entry("codes", answer.code == 0, answer.out.strip() or answer.err.strip())


def _queue(cluster: Cluster, transport: Transport) -> dict[str, Any]:
    scheduler = SCHEDULERS[cluster.scheduler]
    answer = transport.run(scheduler.queue_command([]), timeout=60)
    try:
        scheduler.parse_queue(answer, [])
    except ClusterTrouble as error:
        return _entry("queue", False, str(error))
    if cluster.scheduler == "direct":
        return _entry("queue", True, _("The process table can be read."))
    lines = answer.out.strip().splitlines()
    return _entry("queue", True, "\n".join(lines[:6]) or _("The queue is empty."))


def _entry(name: str, is_well: bool, text: str) -> dict[str, Any]:
    return {"name": name, "ok": is_well, "text": text[:_TEXT_LIMIT]}
