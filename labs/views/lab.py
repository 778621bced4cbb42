"""The lab a person works in: members, invitations, shared accounts, audit trail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from labs.forms import InviteForm, LabForm, RoleForm, SharedAccountForm, SharedPasswordForm
from labs.mail import goes_to_files, invitation_send
from labs.middleware import SESSION_KEY
from labs.models import Lab, Membership, Role
from labs.selectors import (
    audit_events_visible_to,
    invitations_open,
    labs_of,
    memberships_visible_to,
)
from labs.services.invitations import invitation_create, invitation_revoke
from labs.services.labs import (
    lab_update,
    member_remove,
    member_set_role,
    shared_account_create,
    shared_account_set_password,
)
from labs.views.forms import accepted, refusals_as_messages

RECENT = 8


@never_cache
def lab_page(request: HttpRequest, **extra: Any) -> HttpResponse:
    """Show the lab.

    Args:
        request: of a member.
        extra: bound forms of a refused post, so that nothing typed is lost; a new link.
    """
    lab: Lab | None = getattr(request, "lab", None)
    if lab is None:
        return render(request, "labs/no_lab.html")
    events = audit_events_visible_to(request.user, lab)
    context = {
        "lab": lab,
        "is_manager": getattr(request, "role", None) == Role.MANAGER,
        "memberships": memberships_visible_to(request.user).filter(lab=lab),
        "roles": Role.choices,
        "invitations": invitations_open(request.user, lab),
        "events": events[:RECENT],
        "lab_form": LabForm.of(lab),
        "invite_form": InviteForm(auto_id="id_invite_%s"),
        "shared_form": SharedAccountForm(auto_id="id_shared_%s"),
        **extra,
    }
    return render(request, "labs/lab.html", context)


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Work in another lab from now on."""
    try:
        lab = labs_of(request.user).filter(public_id=UUID(request.POST.get("lab", ""))).first()
    except ValueError as error:
        raise Http404(_("No such lab.")) from error
    if lab is None:
        raise Http404(_("You don't belong to such a lab."))
    request.session[SESSION_KEY] = str(lab.public_id)
    following = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(following, allowed_hosts={request.get_host()}):
        following = reverse("portal:home")
    return redirect(following)


@require_POST
def edit(request: HttpRequest) -> HttpResponse:
    lab = _lab(request)
    form = LabForm.of(lab, request.POST)
    if accepted(form, lambda: lab_update(lab=lab, actor=_user(request), **form.cleaned_data)):
        messages.success(request, _("The lab is changed."))
        return redirect("labs:lab")
    return lab_page(request, lab_form=form)


@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    lab = _lab(request)
    form = InviteForm(request.POST, auto_id="id_invite_%s")
    made = accepted(
        form, lambda: invitation_create(lab=lab, actor=_user(request), **form.cleaned_data)
    )
    if not made:
        return lab_page(request, invite_form=form)
    invitation, secret = made
    link = request.build_absolute_uri(reverse("labs:invitation", args=[secret]))
    if not invitation_send(invitation, link):
        messages.warning(
            request, _("The mail server didn't take the invitation; hand the link over yourself.")
        )
    elif goes_to_files():
        messages.info(request, _("This site sends no mail; hand the link over yourself."))
    else:
        messages.success(
            request, _("An invitation is on its way to %(email)s.") % {"email": invitation.email}
        )
    # No redirect: between two requests the link's secret would have to be kept somewhere.
    return lab_page(request, new_link={"email": invitation.email, "link": link})


@require_POST
def invitation_end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    lab = _lab(request)
    invitation = get_object_or_404(invitations_open(request.user, lab), public_id=public_id)
    with refusals_as_messages(request):
        invitation_revoke(invitation=invitation, actor=_user(request))
        messages.success(request, _("The invitation is withdrawn."))
    return redirect("labs:lab")


@require_POST
def member_role(request: HttpRequest, pk: int) -> HttpResponse:
    membership = _membership(request, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Http404(_("No such role."))
    with refusals_as_messages(request):
        member_set_role(membership=membership, actor=_user(request), role=form.cleaned_data["role"])
        messages.success(request, _("The role is changed."))
    return redirect("labs:lab")


@require_POST
def member_end(request: HttpRequest, pk: int) -> HttpResponse:
    membership = _membership(request, pk)
    with refusals_as_messages(request):
        member_remove(membership=membership, actor=_user(request))
        if membership.user_id == _user(request).pk:
            messages.success(request, _("You have left %(lab)s.") % {"lab": membership.lab})
            return redirect("portal:home")
        messages.success(
            request,
            _("%(person)s is removed; what they made stays in the lab.")
            % {"person": membership.user},
        )
    return redirect("labs:lab")


@require_POST
@sensitive_post_parameters("password")
def shared_account(request: HttpRequest) -> HttpResponse:
    lab = _lab(request)
    form = SharedAccountForm(request.POST, auto_id="id_shared_%s")
    if accepted(
        form, lambda: shared_account_create(lab=lab, actor=_user(request), **form.cleaned_data)
    ):
        messages.success(request, _("The shared account is ready to sign in."))
        return redirect("labs:lab")
    return lab_page(request, shared_form=form)


@require_POST
@sensitive_post_parameters("password")
def shared_password(request: HttpRequest, pk: int) -> HttpResponse:
    membership = _membership(request, pk)
    form = SharedPasswordForm(request.POST)
    with refusals_as_messages(request):
        if form.is_valid():
            shared_account_set_password(
                membership=membership, actor=_user(request), password=form.cleaned_data["password"]
            )
            messages.success(request, _("The password of the shared account is set."))
        else:
            messages.error(request, _("Enter the new password."))
    return redirect("labs:lab")


def audit(request: HttpRequest) -> HttpResponse:
    lab = _lab(request)
    if getattr(request, "role", None) != Role.MANAGER:
        raise PermissionDenied(_("Only managers see the audit trail."))
    events = Paginator(audit_events_visible_to(request.user, lab), 50)
    page = events.get_page(request.GET.get("page"))
    return render(request, "labs/audit.html", {"lab": lab, "page_obj": page})


def _user(request: HttpRequest) -> Any:
    return request.user


def _lab(request: HttpRequest) -> Lab:
    lab: Lab | None = getattr(request, "lab", None)
    if lab is None:
        raise Http404(_("You don't belong to a lab yet."))
    return lab


def _membership(request: HttpRequest, pk: int) -> Membership:
    """Return a membership of any lab the person belongs to; the service checks the role."""
    return get_object_or_404(memberships_visible_to(request.user), pk=pk)
