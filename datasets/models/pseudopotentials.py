"""Families of pseudopotentials that a lab keeps."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from labs.models import OwnedModel


class PseudoFamily(OwnedModel):
    """Pseudopotentials that belong together: one functional, at most one file an element."""

    name = models.CharField(_("name"), max_length=120)
    licence = models.CharField(_("licence"), max_length=120, blank=True)
    source = models.CharField(_("source"), max_length=400, blank=True)
    functional = models.CharField(_("functional"), max_length=40, blank=True)

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = _("family of pseudopotentials")
        verbose_name_plural = _("families of pseudopotentials")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:pseudo-family", args=[self.public_id])


class PseudoFile(models.Model):
    """A UPF file of a family; its bytes lie under its hash."""

    family = models.ForeignKey(PseudoFamily, on_delete=models.CASCADE, related_name="files")
    element = models.CharField(_("element"), max_length=3)
    name = models.CharField(_("file name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=20, blank=True)
    functional = models.CharField(_("functional"), max_length=40, blank=True)
    relativistic = models.CharField(max_length=10, blank=True)
    valence = models.FloatField(_("valence electrons"), null=True)
    cutoff = models.FloatField(_("suggested cutoff / Ry"), null=True)
    density_cutoff = models.FloatField(_("suggested density cutoff / Ry"), null=True)
    size = models.PositiveIntegerField(_("size"))
    sha256 = models.CharField(max_length=64, db_index=True)

    class Meta:
        ordering = ["element"]
        constraints = [
            models.UniqueConstraint(fields=["family", "element"], name="one_pseudo_per_element")
        ]

    def __str__(self) -> str:
        return self.name
