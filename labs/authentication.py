"""Personal tokens for the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labs.models import ApiToken
from labs.tokens import token_hash


class BearerTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer mlmd_…``; ``request.auth`` is then the `ApiToken`."""

    keyword = b"bearer"

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != self.keyword:
            return None
        if len(words) != 2:
            raise AuthenticationFailed(_("Expected one token after “Bearer”."))
        now = timezone.now()
        token = (
            ApiToken.objects.select_related("user")
            .filter(token_hash=token_hash(words[1].decode("latin-1")), revoked_at=None)
            .filter(Q(expires_at=None) | Q(expires_at__gt=now))
            .first()
        )
        if token is None or not token.user.is_active:
            raise AuthenticationFailed(
                _(
                    "This token is unknown, expired or revoked. Make a new one under Account → Tokens."
                )
            )
        # Once a minute is enough for people, and spares a write per call.
        if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
