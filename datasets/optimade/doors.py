"""What every endpoint has in common: open to all, rate limited, readable from any web page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.translation import gettext as _
from rest_framework.throttling import SimpleRateThrottle

from datasets.optimade.answers import MEDIA_TYPE, refusal
from datasets.optimade.errors import (
    NotAcceptable,
    NotFound,
    OptimadeError,
    TooManyRequests,
    Unavailable,
)
from datasets.store import StoreUnavailable

View = Callable[..., HttpResponse]


class VisitorThrottle(SimpleRateThrottle):
    """So many requests a minute from one address, signed in or not."""

    scope = "optimade"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


def endpoint(view: View) -> View:
    """Wrap a view: GET only, errors in OPTIMADE's form, and a header that lets browsers read it.

    The header goes with these read-only answers alone; no cookie has a say in them.
    """

    @login_not_required
    @wraps(view)
    def open_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = _answered(view, request, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        return response

    return open_view


def _answered(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": "GET, HEAD, OPTIONS"})
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD", "OPTIONS"])
    throttle = VisitorThrottle()
    try:
        if not settings.MLMD_OPTIMADE:
            raise NotFound(_("This site doesn't offer OPTIMADE."))
        if not throttle.allow_request(request, None):
            raise TooManyRequests(_("Too many requests from your address; wait a little."))
        _check_accepted(request)
        return view(request, *args, **kwargs)
    except StoreUnavailable:
        return refusal(request, Unavailable(_("The frames can't be reached just now; try again.")))
    except OptimadeError as error:
        response = refusal(request, error)
        if isinstance(error, TooManyRequests):
            response["Retry-After"] = str(int(throttle.wait() or 1) + 1)
        return response


def _check_accepted(request: HttpRequest) -> None:
    """Refuse, as JSON:API wants, when each JSON:API type of the header carries a parameter."""
    kinds = [kind.strip() for kind in request.headers.get("Accept", "").split(",")]
    ours = [kind for kind in kinds if kind.startswith(MEDIA_TYPE)]
    plain = (MEDIA_TYPE, f"{MEDIA_TYPE};q=", f"{MEDIA_TYPE}; q=")
    if ours and not any(kind == plain[0] or kind.startswith(plain[1:]) for kind in ours):
        raise NotAcceptable(_("%s without parameters is what this site sends.") % MEDIA_TYPE)
