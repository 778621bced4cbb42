"""A person's own account and tokens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from labs.forms import NameForm, TokenForm
from labs.selectors import tokens_of
from labs.services.accounts import (
    account_rename,
    account_set_password,
    token_create,
    token_revoke,
)
from labs.views.forms import accepted, refusals_as_messages


def account(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = NameForm(request.POST or None, initial={"name": user.name})
    if request.method == "POST" and accepted(
        form, lambda: account_rename(user=user, name=form.cleaned_data["name"])
    ):
        messages.success(request, _("Your name is changed."))
        return redirect("labs:account")
    context = {"form": form, "password_form": PasswordChangeForm(user), "languages": _languages()}
    return render(request, "labs/account.html", context)


def _languages() -> list[tuple[str, str]]:
    return list(settings.LANGUAGES)


@sensitive_post_parameters()
def password(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = PasswordChangeForm(user, request.POST or None)
    if request.method == "POST" and accepted(
        form,
        lambda: account_set_password(user=user, password=form.cleaned_data["new_password1"]),
    ):
        update_session_auth_hash(request, user)
        messages.success(request, _("Your password is changed; other browsers are signed out."))
        return redirect("labs:account")
    return render(request, "labs/password.html", {"form": form})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language of the pages in this browser."""
    chosen = request.POST.get("language", "")
    answer = redirect("labs:account")
    if chosen in dict(settings.LANGUAGES) and check_for_language(chosen):
        answer.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            chosen,
            max_age=365 * 86400,
            samesite="Lax",
            secure=settings.HTTPS,
        )
    return answer


@never_cache
def tokens(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form, new_token = TokenForm(request.POST or None), None
    if request.method == "POST":
        made = accepted(
            form,
            lambda: token_create(
                user=user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at(),
            ),
        )
        if made:
            # No redirect: between two requests the secret would have to be kept somewhere.
            new_token, form = made[1], TokenForm()
    context = {"form": form, "tokens": tokens_of(user), "new_token": new_token}
    return render(request, "labs/tokens.html", context)


@require_POST
def token_end(request: HttpRequest, public_id: UUID) -> HttpResponse:
    token = get_object_or_404(tokens_of(request.user), public_id=public_id)
    with refusals_as_messages(request):
        token_revoke(token=token)
        messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("labs:tokens")
