"""How pages say that something was refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from labs.exceptions import Refused
from mlmd.errors import MlmdError

View = Callable[..., HttpResponseBase]


def wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def posted(request: HttpRequest) -> Any:
    """Return what a form was sent, None when it was only asked for."""
    return request.POST if request.method == "POST" else None


def says_refusals(back: Callable[..., str]) -> Callable[[View], View]:
    """Turn what a service refuses into a message on the page that `back` names.

    Args:
        back: takes the view's keyword arguments, returns an address.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, **kwargs)
            except (Refused, MlmdError) as error:
                if wants_json(request):
                    return JsonResponse({"detail": str(error)}, status=400)
                messages.error(request, str(error))
                return redirect(next_url(request, back(**kwargs)))

        return wrapped

    return decorate


def next_url(request: HttpRequest, default: str) -> str:
    """Return where the form asked to go next, when that is on this site."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return wanted
    return default
