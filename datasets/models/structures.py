"""Structures: atoms without labels, uploaded or built."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from labs.models import OwnedModel


class Origin(models.TextChoices):
    """Where a structure comes from."""

    UPLOAD = "upload", _("uploaded file")
    BULK = "bulk", _("bulk crystal builder")
    SUPERCELL = "supercell", _("supercell")
    SURFACE = "surface", _("surface")
    VACANCY = "vacancy", _("vacancy")
    DISPLACE = "displace", _("random displacement")
    STRAIN = "strain", _("strain")
    FRAME = "frame", _("frame of a dataset")
    RUN = "run", _("result of a run")
    SET = "set", _("member of a set")


class StructureSet(OwnedModel):
    """Many structures that were made together and are computed together."""

    name = models.CharField(_("name"), max_length=200)
    recipe = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey(
        "datasets.Structure",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="sets_made",
    )
    size = models.PositiveIntegerField(_("number of structures"))

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("set of structures")
        verbose_name_plural = _("sets of structures")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:structure-set", args=[self.public_id])


class Structure(OwnedModel):
    """Atoms in a cell, ready to be simulated or changed into another structure."""

    name = models.CharField(_("name"), max_length=200)
    notes = models.TextField(_("notes"), blank=True)
    origin = models.CharField(_("origin"), max_length=12, choices=Origin, default=Origin.UPLOAD)
    recipe = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children"
    )
    member_of = models.ForeignKey(
        StructureSet, on_delete=models.SET_NULL, null=True, blank=True, related_name="members"
    )
    upload = models.ForeignKey(
        "datasets.Upload",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="structures",
    )
    source_name = models.CharField(_("file name"), max_length=255, blank=True)
    source_format = models.CharField(_("format"), max_length=24, blank=True)
    content = models.BinaryField(editable=False)

    formula = models.CharField(_("formula"), max_length=200)
    elements_key = models.CharField(max_length=480, db_index=True)
    n_elements = models.PositiveSmallIntegerField(_("number of elements"))
    n_atoms = models.PositiveIntegerField(_("number of atoms"))
    density = models.FloatField(_("density / g cm⁻³"), null=True)
    volume = models.FloatField(_("volume / Å³"), null=True)
    space_group = models.CharField(_("space group"), max_length=40, blank=True)
    shortest_distance = models.FloatField(_("shortest distance / Å"), null=True)
    report = models.JSONField(default=dict, blank=True)
    structure_hash = models.CharField(max_length=64, db_index=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("structure")
        verbose_name_plural = _("structures")
        indexes = [models.Index(fields=["lab", "-created_at"], name="structure_lab_new")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:structure", args=[self.public_id])

    @property
    def elements(self) -> list[str]:
        return [e for e in self.elements_key.split("|") if e]
