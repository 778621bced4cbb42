"""Puts the lab a person works in on the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from labs.models import Lab, User

SESSION_KEY = "lab"


class LabRequest(HttpRequest):
    """What a view gets behind the middleware: who works, in which lab and role; for type checkers."""

    user: User
    lab: Lab | None
    role: str | None


class ActiveLabMiddleware:
    """Sets ``request.lab`` to the chosen lab, else to the first one, else to None.

    The choice lives in the session and is checked against the memberships at each request,
    so that a person who was removed loses the lab at once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.lab = None  # type: ignore[attr-defined]
        request.role = None  # type: ignore[attr-defined]
        user: Any = request.user
        if user.is_authenticated:
            memberships = list(user.memberships.select_related("lab").order_by("lab__name"))
            chosen = request.session.get(SESSION_KEY)
            for membership in sorted(memberships, key=lambda m: str(m.lab.public_id) != chosen)[:1]:
                request.lab = membership.lab  # type: ignore[attr-defined]
                request.role = membership.role  # type: ignore[attr-defined]
        return self.get_response(request)
