"""Frames: searchable columns here, the document with its arrays apart."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets.querysets import FrameQuerySet


class ElementSet(models.Model):
    """A combination of elements that some frame has.

    They are few, so that searching by elements becomes a list of exact keys, not a scan.
    """

    key = models.CharField(max_length=480, unique=True)

    def __str__(self) -> str:
        return self.key


class Composition(models.Model):
    """A chemical formula that some frame has, with what can be asked of it.

    Like `ElementSet`: formulas are few, so that a condition on them becomes a list of exact
    values of `Frame.formula`. A formula too long to be kept whole has no row.
    """

    formula = models.CharField(max_length=200, unique=True)
    formula_reduced = models.CharField(max_length=200, db_index=True)
    formula_anonymous = models.CharField(max_length=200, db_index=True)

    def __str__(self) -> str:
        return self.formula


class CompositionShare(models.Model):
    """The share that one element has of the atoms of a composition."""

    composition = models.ForeignKey(Composition, on_delete=models.CASCADE, related_name="shares")
    element = models.CharField(max_length=3)
    ratio = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["composition", "element"], name="one_share_per_element")
        ]
        indexes = [models.Index(fields=["element", "ratio"], name="share_element_ratio")]

    def __str__(self) -> str:
        return f"{self.element} {self.ratio:.3f}"


class Calculation(models.Model):
    """How a group of frames was computed; one per run and dataset."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(
        "datasets.Dataset", on_delete=models.CASCADE, related_name="calculations"
    )
    digest = models.CharField(max_length=64)
    code = models.CharField(_("code"), max_length=40)
    version = models.CharField(_("version"), max_length=80, blank=True)
    functional = models.CharField(_("functional"), max_length=80, blank=True)
    dispersion = models.CharField(_("dispersion"), max_length=80, blank=True)
    cutoff_energy = models.FloatField(_("cutoff / eV"), null=True)
    spin = models.CharField(_("spin"), max_length=24, blank=True)
    hubbard = models.CharField(_("Hubbard U"), max_length=200, blank=True)
    run_type = models.CharField(_("run type"), max_length=24, blank=True)
    compat_key = models.CharField(max_length=255)
    source_name = models.CharField(_("source file"), max_length=255, blank=True)
    source_sha256 = models.CharField(max_length=64, blank=True)
    document = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "digest"], name="one_calculation_per_dataset"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.functional}".strip()


class Frame(models.Model):
    """One labelled configuration: what a search needs.

    ``added_in`` is None while the upload that brings the frame still runs.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey("datasets.Dataset", on_delete=models.CASCADE, related_name="frames")
    upload = models.ForeignKey(
        "datasets.Upload", on_delete=models.SET_NULL, null=True, related_name="frames"
    )
    # RESTRICT, not PROTECT: deleting a dataset takes both sides away.
    calculation = models.ForeignKey(Calculation, on_delete=models.RESTRICT, related_name="frames")
    copied_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="copies"
    )
    added_in = models.PositiveIntegerField(null=True)
    removed_in = models.PositiveIntegerField(null=True)

    formula = models.CharField(_("formula"), max_length=200)
    elements_key = models.CharField(max_length=480)
    n_elements = models.PositiveSmallIntegerField()
    n_atoms = models.PositiveIntegerField(_("atoms"))
    n_periodic = models.PositiveSmallIntegerField(_("periodic directions"), default=3)
    volume_per_atom = models.FloatField(_("volume per atom / Å³"), null=True)
    energy = models.FloatField(_("energy / eV"), null=True)
    energy_per_atom = models.FloatField(_("energy per atom / eV"), null=True)
    max_force = models.FloatField(_("largest force / eV/Å"), null=True)
    has_stress = models.BooleanField(_("stress"), default=False)
    shortest_distance = models.FloatField(_("shortest distance / Å"), null=True)
    pressure = models.FloatField(_("pressure / GPa"), null=True)
    k_spacing = models.FloatField(_("k-point spacing / Å⁻¹"), null=True)
    # Above the convex hull of the dataset's current frames of equal level of theory.
    energy_above = models.FloatField(_("energy above hull / eV/atom"), null=True)
    code = models.CharField(_("code"), max_length=40)
    functional = models.CharField(_("functional"), max_length=80, blank=True)
    compat_key = models.CharField(max_length=255)
    kind = models.CharField(_("kind"), max_length=120, blank=True)
    label_source = models.CharField(_("label source"), max_length=16)
    split = models.CharField(_("split"), max_length=12, blank=True)  # see `datasets.splits`
    scf_converged = models.BooleanField(_("SCF converged"), null=True)
    ionic_step = models.PositiveIntegerField(_("ionic step"), default=0)
    structure_hash = models.CharField(max_length=64)
    label_identity = models.CharField(max_length=64)
    document_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FrameQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("frame")
        verbose_name_plural = _("frames")
        constraints = [
            models.CheckConstraint(
                condition=Q(removed_in=None) | Q(removed_in__gte=F("added_in")),
                name="removed_not_before_added",
            )
        ]
        indexes = [
            models.Index(fields=["dataset", "added_in", "removed_in"], name="frame_version"),
            models.Index(fields=["dataset", "elements_key"], name="frame_elements"),
            models.Index(fields=["dataset", "energy_per_atom"], name="frame_energy"),
            models.Index(fields=["dataset", "max_force"], name="frame_force"),
            models.Index(fields=["dataset", "n_atoms"], name="frame_atoms"),
            models.Index(fields=["dataset", "formula"], name="frame_formula"),
            models.Index(fields=["label_identity"], name="frame_label"),
            models.Index(fields=["structure_hash"], name="frame_structure"),
        ]

    def __str__(self) -> str:
        return f"{self.formula} · {self.ionic_step}"

    def get_absolute_url(self) -> str:
        return reverse("datasets:frame", args=[self.public_id])

    @property
    def elements(self) -> list[str]:
        return [e for e in self.elements_key.split("|") if e]


class FrameDocument(models.Model):
    """The exact frame in packed form, keyed by the frame's id.

    No foreign key on purpose: documents may live in another store (`datasets.store`).
    """

    frame_id = models.BigIntegerField(primary_key=True)
    content = models.BinaryField()

    def __str__(self) -> str:
        return str(self.frame_id)
