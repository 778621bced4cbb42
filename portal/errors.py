"""Error pages: what happened, in words, in the site's frame; JSON for scripts."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)


def wants_json(request: HttpRequest) -> bool:
    """Whether a script asked, not a person's browser for a page."""
    if request.path.startswith("/api/v1/"):
        return True
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def _answer(request: HttpRequest, status: int, title: str, text: str, advice: str) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"detail": f"{text} {advice}".strip()}, status=status)
    context = {"title": title, "text": text, "advice": advice, "status": status}
    return render(request, "portal/error.html", context, status=status)


@login_not_required
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return too_large(request)
    return _answer(
        request,
        400,
        _("The request can't be read"),
        _("What the browser sent is incomplete or not what this page expects."),
        _("Go back, reload the page and try again."),
    )


@login_not_required
def too_large(request: HttpRequest) -> HttpResponse:
    """Answer 413; views call it for uploads over the limit."""
    return _answer(
        request,
        413,
        _("That is too large"),
        _("What was sent is larger than this site accepts."),
        _(
            "Compress the file (.gz or .xz), split it, or ask the site's operator for a larger limit."
        ),
    )


@login_not_required
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request,
        403,
        _("You may look, not change"),
        str(exception) or _("Your role doesn't allow this."),
        _("Owners and managers of the lab may; ask one of them."),
    )


@login_not_required
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request,
        404,
        _("There is nothing here"),
        _("The address is wrong, the thing was deleted, or it isn't shared with you."),
        _("If a colleague sent the link, ask them to share it with your lab."),
    )


def documents_away(request: HttpRequest) -> HttpResponse:
    """Answer 503: the store of documents is away, everything else works."""
    log.warning("%s: the document store is away", request.path)
    response = _answer(
        request,
        503,
        _("The frames can't be reached just now"),
        _("The database that holds the documents of frames doesn't answer; nothing is lost."),
        _("Searching goes on, uploads wait by themselves. Try this page again in a minute."),
    )
    response["Retry-After"] = "30"
    return response


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(
        request,
        403,
        _("The form had expired"),
        _(
            "For safety a form works only in the browser session that opened it; nothing was changed."
        ),
        _("Go back, reload the page and send it again. Cookies must be allowed for this site."),
    )


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without the database or the session: either may be what is broken."""
    if wants_json(request):
        return JsonResponse({"detail": _("The site made an error; it was logged.")}, status=500)
    context: dict[str, Any] = {
        "title": _("The site made an error"),
        "text": _("It isn't your fault, it was logged, and your runs go on."),
        "advice": _(
            "Try again in a moment; if it comes back, tell the person who runs the site when it happened."
        ),
        "status": 500,
    }
    return HttpResponse(render_to_string("portal/error.html", context), status=500)
