"""Signing in, resetting a password, accepting an invitation."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from labs.forms import RegisterForm, ResetPasswordForm, SignInForm
from labs.mail import goes_to_files
from labs.middleware import SESSION_KEY
from labs.models import Invitation, User
from labs.selectors import invitation_by_secret
from labs.services.invitations import invitation_accept, invitation_register
from labs.views.forms import accepted, refusals_as_messages

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignIn(auth.LoginView):
    template_name = "labs/sign_in.html"
    form_class = SignInForm
    redirect_authenticated_user = True


@method_decorator(login_not_required, name="dispatch")
class PasswordReset(auth.PasswordResetView):
    template_name = "labs/password_reset.html"
    email_template_name = "labs/mail/password_reset.txt"
    subject_template_name = "labs/mail/password_reset_subject.txt"
    success_url = reverse_lazy("labs:password-reset-done")


@method_decorator(login_not_required, name="dispatch")
class PasswordResetDone(auth.PasswordResetDoneView):
    template_name = "labs/password_reset_done.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"goes_to_files": goes_to_files()}


@method_decorator(login_not_required, name="dispatch")
class PasswordResetConfirm(auth.PasswordResetConfirmView):
    template_name = "labs/password_reset_confirm.html"
    form_class = ResetPasswordForm
    success_url = reverse_lazy("labs:sign-in")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("The new password is set. Sign in with it."))
        return super().form_valid(form)


@login_not_required
@sensitive_post_parameters("password")
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Show an invitation; accept it with the account in use, or with a new one."""
    found = invitation_by_secret(secret)
    if found is None:
        return render(request, "labs/invitation_gone.html", status=404)
    if request.user.is_authenticated:
        return _join(request, found)
    has_account = User.objects.filter(email__iexact=found.email).exists()
    form = RegisterForm(request.POST or None)
    if request.method == "POST" and not has_account:
        user = accepted(
            form,
            lambda: invitation_register(
                invitation=found,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password"],
            ),
        )
        if user:
            login(request, user, backend=BACKEND)
            return _enter(request, found)
    sign_in = f"{reverse('labs:sign-in')}?next={request.path}"
    context = {"invitation": found, "form": form, "has_account": has_account, "sign_in": sign_in}
    return render(request, "labs/invitation.html", context)


def _join(request: HttpRequest, found: Invitation) -> HttpResponse:
    if request.method != "POST":
        return render(request, "labs/invitation.html", {"invitation": found})
    with refusals_as_messages(request):
        invitation_accept(invitation=found, user=request.user)  # type: ignore[arg-type]
        return _enter(request, found)
    return redirect("portal:home")


def _enter(request: HttpRequest, found: Invitation) -> HttpResponse:
    request.session[SESSION_KEY] = str(found.lab.public_id)
    messages.success(request, _("Welcome to %(lab)s.") % {"lab": found.lab})
    return redirect("portal:home")
