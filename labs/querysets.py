"""The one place that says who may see and change what."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import BaseUserManager
from django.db import models
from django.db.models import Q


class UserManager(BaseUserManager):
    """Makes users who sign in by e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Any:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Any:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> Any:
        return self.get(email__iexact=email)


class OwnedQuerySet(models.QuerySet):
    """Rows of an `OwnedModel`, filtered by what a person may do.

    | visibility | seen by                  | changed by                    |
    |------------|--------------------------|-------------------------------|
    | private    | owner                    | owner                         |
    | lab        | members and guests       | owner, managers of the lab    |
    | public     | everyone                 | owner, managers of the lab    |

    Owners count only while they belong to the lab; guests change nothing.
    """

    def visible_to(self, user: Any) -> OwnedQuerySet:
        public = Q(visibility="public")
        if not user.is_authenticated:
            return self.filter(public)
        lab_ids = user.memberships.values("lab_id")
        return self.filter(
            public | (Q(lab_id__in=lab_ids) & (Q(visibility="lab") | Q(owner_id=user.pk)))
        )

    def editable_by(self, user: Any) -> OwnedQuerySet:
        if not user.is_authenticated:
            return self.none()
        working = user.memberships.exclude(role="guest").values("lab_id")
        managed = user.memberships.filter(role="manager").values("lab_id")
        return self.filter(
            Q(lab_id__in=working, owner_id=user.pk)
            | (Q(lab_id__in=managed) & ~Q(visibility="private"))
        )
