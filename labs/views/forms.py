"""What the room's views share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest

from labs.exceptions import Refused


def accepted(form: forms.Form, service: Callable[[], Any]) -> Any:
    """Return what the service returns, or None with its refusal on the form.

    The services of this room return objects or tuples, never something false, when they accept.
    """
    if not form.is_valid():
        return None
    try:
        return service() or True
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return None


@contextmanager
def refusals_as_messages(request: HttpRequest) -> Iterator[None]:
    """Show a refusal at the top of the page that the view redirects to."""
    try:
        yield
    except Refused as refusal:
        messages.error(request, str(refusal))
