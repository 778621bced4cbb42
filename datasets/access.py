"""Fetching one object for a page: unseen is 404, seen but not changeable is 403 with words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _

from labs.exceptions import PermissionDenied


def visible_or_404(queryset: Any, public_id: UUID | str) -> Any:
    """Return the row of a permission-filtered queryset."""
    found = queryset.filter(public_id=public_id).first()
    if found is None:
        raise Http404(_("There is no such object, or it isn't shared with you."))
    return found


def editable_or_403(model: Any, user: Any, public_id: UUID | str) -> Any:
    """Return a row that the person may change."""
    seen = visible_or_404(model.objects.visible_to(user), public_id)
    if not may_edit(seen, user):
        raise PermissionDenied(
            _("You can see this but not change it: its owner and the lab's managers can.")
        )
    return seen


def may_edit(thing: Any, user: Any) -> bool:
    """Whether the person may change the object."""
    return bool(type(thing).objects.editable_by(user).filter(pk=thing.pk).exists())
