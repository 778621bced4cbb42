"""What an API call may do."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from labs.models import ApiToken, Scope


class HasScope(BasePermission):
    """Signed in, and the token (if one is used) has the scope.

    Reading needs ``read``; everything else needs the view's ``required_scope`` (``write`` when
    the view names none). Sessions have every scope. Rows are filtered by the selectors.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if not isinstance(request.auth, ApiToken):
            return True
        needed = (
            Scope.READ
            if request.method in SAFE_METHODS
            else getattr(view, "required_scope", Scope.WRITE)
        )
        return needed in request.auth.scopes
