"""Who may add to a lab."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from labs.exceptions import PermissionDenied
from labs.models import Lab
from labs.selectors import may_create


def creation_check(owner: Any, lab: Lab | None) -> None:
    """Raise `PermissionDenied` with words unless the person may add objects to the lab."""
    if not may_create(owner, lab):
        raise PermissionDenied(
            _("Guests look at a lab's work but add nothing to it. Ask a manager to be a member.")
        )
