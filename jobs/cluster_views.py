"""Pages on which a lab's managers register, connect and change clusters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs import registration
from jobs.accounts import OwnAccount, account_close, account_of, account_open
from jobs.clusters import recipes_of
from jobs.forms import AccountForm, ClusterForm, CredentialForm
from jobs.keys import fingerprint
from jobs.models import Cluster
from jobs.placement import queues_of
from jobs.presets import PRESETS
from jobs.probing import LABELS
from jobs.registration import probe_ask
from jobs.selectors import clusters_known_to, clusters_managed_by
from jobs.transports.ssh_pool import hops_of
from labs.exceptions import Refused
from labs.models import Role
from labs.selectors import may_create
from labs.views.forms import refusals_as_messages


@never_cache
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Register a cluster, beginning with what a preset proposes."""
    lab: Any = getattr(request, "lab", None)
    if lab is None or getattr(request, "role", None) != Role.MANAGER:
        raise PermissionDenied(_("Only managers of a lab register its clusters."))
    preset = PRESETS.get(request.GET.get("preset", ""))
    form = ClusterForm(request.POST or None, initial=preset.values if preset else {})
    if request.method == "POST" and form.is_valid():
        try:
            cluster = registration.cluster_create(
                owner=request.user, lab=lab, settings=form.settings
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            registration.probe_ask(cluster=cluster, actor=request.user)
            messages.success(request, _("Registered. Confirm its host key and install the key."))
            return redirect("jobs:cluster", cluster.public_id)
    presets = [(word, preset.title) for word, preset in PRESETS.items()]
    return render(request, "jobs/cluster_form.html", {"form": form, "presets": presets})


@never_cache
@require_GET
def detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a cluster: how it is reached, what the probe found, what it offers."""
    cluster = _visible(request, public_id)
    may_manage = clusters_managed_by(request.user).filter(pk=cluster.pk).exists()
    checks = [
        {**check, "label": LABELS[check["name"]]} for check in cluster.probe.get("checks", ())
    ]
    context = {
        "cluster": cluster,
        "may_manage": may_manage,
        "hosts": _hosts(cluster) if may_manage else [],
        "checks": checks if may_manage else [],
        "asked": bool(cluster.probe.get("asked")),
        "queues": queues_of(cluster),
        "codes": sorted(recipes_of(cluster)),
        "generate_fields": [("method", "generate")],
        "close_fields": [("close", "1")],
        "credential": getattr(cluster, "credential", None) if may_manage else None,
    }
    context |= _own_account(request, cluster)
    return render(request, "jobs/cluster.html", context)


def _own_account(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """Return the person's account on a lab's cluster, or the form for one."""
    lab = cluster.lab
    if cluster.transport != "ssh" or cluster.shared or lab is None:
        return {}
    account = account_of(request.user, cluster)
    may_open = account is None and may_create(request.user, lab)
    return {"own_account": account, "account_form": AccountForm() if may_open else None}


@require_POST
def own_account(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Let the person's runs go under an own account, or under the lab's again."""
    cluster, target = _visible(request, public_id), public_id
    with refusals_as_messages(request):
        if request.POST.get("close") == "1":
            account_close(cluster=cluster, actor=request.user)
            messages.success(request, _("Your next runs go under the lab's account."))
        else:
            target = _open_account(request, cluster).public_id
            messages.success(request, _("Install the key; your next runs go under this account."))
    return redirect("jobs:cluster", target)


def _open_account(request: HttpRequest, cluster: Cluster) -> Cluster:
    form = AccountForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Enter your account and its work folder."))
    own = OwnAccount(**form.cleaned_data)
    entry = account_open(cluster=cluster, actor=request.user, own=own)
    probe_ask(cluster=entry, actor=request.user)
    return entry


def _hosts(cluster: Cluster) -> list[dict[str, str]]:
    """Return each hop with the fingerprint that was confirmed and the one it shows now."""
    if cluster.transport != "ssh":
        return []
    shown = cluster.probe.get("host_keys", {})
    return [
        {
            "place": hop.place,
            "confirmed": _print(cluster.known_hosts.get(hop.place)),
            "shown": _print(shown.get(hop.place)),
        }
        for hop in hops_of(cluster)
    ]


def _print(line: str | None) -> str:
    return fingerprint(line) if line else ""


@never_cache
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, public_id: UUID) -> HttpResponse:
    cluster = _managed(request, public_id)
    form = ClusterForm(request.POST or None, initial=asdict(registration.settings_of(cluster)))
    if request.method == "POST" and form.is_valid():
        try:
            registration.cluster_update(cluster=cluster, actor=request.user, settings=form.settings)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            registration.probe_ask(cluster=cluster, actor=request.user)
            messages.success(request, _("The cluster is changed."))
            return redirect("jobs:cluster", cluster.public_id)
    return render(request, "jobs/cluster_form.html", {"form": form, "cluster": cluster})


@require_POST
@sensitive_post_parameters("secret", "passphrase")
def credential(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take a key, password or code, or make a new key."""
    cluster = _managed(request, public_id)
    form = CredentialForm(request.POST)
    with refusals_as_messages(request):
        if not form.is_valid():
            raise Refused(_("Choose a way to sign in."))
        registration.credential_set(cluster=cluster, actor=request.user, **form.cleaned_data)
        messages.success(request, _("Stored, encrypted. It is never shown again."))
    return redirect("jobs:cluster", public_id)


@require_POST
def confirm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Trust a host key."""
    cluster = _managed(request, public_id)
    with refusals_as_messages(request):
        registration.host_key_confirm(
            cluster=cluster,
            actor=request.user,
            place=request.POST.get("place", ""),
            shown=request.POST.get("fingerprint", ""),
        )
        messages.success(request, _("The host key is confirmed."))
    return redirect("jobs:cluster", public_id)


@require_POST
def probe(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Have a worker look at the cluster."""
    registration.probe_ask(cluster=_managed(request, public_id), actor=request.user)
    return redirect("jobs:cluster", public_id)


@require_POST
def set_open(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Open the cluster for new runs, or close it."""
    registration.cluster_open(
        cluster=_managed(request, public_id),
        actor=request.user,
        is_active=request.POST.get("open") == "1",
    )
    return redirect("jobs:cluster", public_id)


def _visible(request: HttpRequest, public_id: UUID) -> Cluster:
    clusters = clusters_known_to(request.user).select_related(
        "lab", "owner", "credential", "shared"
    )
    return get_object_or_404(clusters, public_id=public_id)


def _managed(request: HttpRequest, public_id: UUID) -> Cluster:
    cluster = _visible(request, public_id)
    if not clusters_managed_by(request.user).filter(pk=cluster.pk).exists():
        raise PermissionDenied(_("Only managers of its lab set up a cluster."))
    return cluster
