"""Whom failed sign-ins count against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest


def address_tried(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the e-mail address of a sign-in, in lower case, so that A@x and a@x count as one.

    The form calls it ``username``, a finished sign-in ``email`` (the user model's field).
    """
    given = credentials or request.POST
    return str(given.get("username") or given.get("email") or "").strip().lower()
