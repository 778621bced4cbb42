"""Errors of the Django rooms, and how the API says them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework.response import Response
from rest_framework.views import exception_handler

from mlmd.errors import MlmdError


class Refused(Exception):
    """A service won't do what was asked; the text is for the user (translated)."""


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer 400 with ``{"detail": …}`` for input that services or the science package refuse."""
    if isinstance(error, Refused | MlmdError):
        return Response({"detail": str(error)}, status=400)
    return exception_handler(error, context)


__all__ = ["PermissionDenied", "Refused", "api_exception_handler"]
