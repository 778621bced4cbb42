"""A person's own account and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labs.exceptions import Refused
from labs.models import ApiToken, Scope, User
from labs.tokens import PREFIX, token_hash, token_make

SHOWN = len(PREFIX) + 6  # characters of a secret that stay readable, to tell tokens apart
MOST_TOKENS = 50


@transaction.atomic
def account_rename(*, user: User, name: str) -> User:
    """Change how a person is called.

    Raises:
        Refused: the name is empty.
    """
    if not name.strip():
        raise Refused(_("A name is needed: others see it beside what you share."))
    user.name = name.strip()
    user.save(update_fields=["name"])
    return user


@transaction.atomic
def account_set_password(*, user: User, password: str) -> None:
    """Set one's own password; the form has checked the old one and the strength of the new one.

    Raises:
        Refused: the account is shared, so that one person would lock out the others.
    """
    if user.is_shared:
        raise Refused(_("A manager of the lab sets the password of a shared account."))
    user.set_password(password)
    user.save(update_fields=["password"])


@transaction.atomic
def token_create(
    *, user: User, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a personal token.

    Returns:
        The row and the secret, which is known only now.

    Raises:
        Refused: no or unknown scope, an expiry in the past, or too many tokens.
    """
    known = {str(scope) for scope in Scope}
    wrong = set(scopes) - known
    if wrong or not scopes:
        raise Refused(
            _("Choose at least one of these scopes: %(known)s.")
            % {"known": ", ".join(sorted(known))}
        )
    if expires_at is not None and expires_at <= timezone.now():
        raise Refused(_("The expiry date lies in the past."))
    if tokens_in_use(user) >= MOST_TOKENS:
        raise Refused(_("You have %(count)s tokens; revoke one first.") % {"count": MOST_TOKENS})
    secret = token_make()
    token = ApiToken.objects.create(
        user=user,
        name=name.strip() or _("unnamed"),
        prefix=secret[:SHOWN],
        token_hash=token_hash(secret),
        # `read` comes with every scope: what may be changed may be looked at.
        scopes=sorted({*scopes, str(Scope.READ)}),
        expires_at=expires_at,
    )
    return token, secret


def tokens_in_use(user: User) -> int:
    return ApiToken.objects.filter(user=user, revoked_at=None).count()


@transaction.atomic
def token_revoke(*, token: ApiToken) -> None:
    """End a token at once; doing it twice changes nothing."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
