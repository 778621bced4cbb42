"""Searches that somebody wants to do again."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from labs.models import OwnedModel


class SavedSearch(OwnedModel):
    """A name for a query of the frames' catalog."""

    name = models.CharField(_("name"), max_length=120)
    query = models.CharField(_("query"), max_length=2000)

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("saved search")
        verbose_name_plural = _("saved searches")
        constraints = [
            models.UniqueConstraint(fields=["owner", "lab", "name"], name="one_search_per_name")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('datasets:frames')}?{self.query}"
