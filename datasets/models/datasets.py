"""Datasets and their versions."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets.querysets import VersionQuerySet
from datasets.visibility import DatasetQuerySet, embargo_today
from labs.models import OwnedModel


class Licence(models.TextChoices):
    """SPDX identifiers that fit data; empty until the owner has decided."""

    UNSTATED = "", _("not stated")
    CC0 = "CC0-1.0", _("CC0 1.0 (public domain)")
    CC_BY = "CC-BY-4.0", _("CC BY 4.0 (attribution)")
    CC_BY_SA = "CC-BY-SA-4.0", _("CC BY-SA 4.0 (attribution, share alike)")
    CC_BY_NC = "CC-BY-NC-4.0", _("CC BY-NC 4.0 (attribution, non-commercial)")
    CC_BY_ND = "CC-BY-ND-4.0", _("CC BY-ND 4.0 (attribution, no derivatives)")
    CC_BY_NC_SA = "CC-BY-NC-SA-4.0", _("CC BY-NC-SA 4.0 (non-commercial, share alike)")
    CC_BY_NC_ND = "CC-BY-NC-ND-4.0", _("CC BY-NC-ND 4.0 (non-commercial, no derivatives)")
    ODC_BY = "ODC-By-1.0", _("ODC-By 1.0 (open data, attribution)")
    ODBL = "ODbL-1.0", _("ODbL 1.0 (open database)")
    PDDL = "PDDL-1.0", _("PDDL 1.0 (public domain database)")
    CDLA_PERMISSIVE = "CDLA-Permissive-2.0", _("CDLA Permissive 2.0 (community data)")
    CDLA_SHARING = "CDLA-Sharing-1.0", _("CDLA Sharing 1.0 (community data, share alike)")
    ETALAB = "etalab-2.0", _("Etalab 2.0 (open licence)")
    DL_DE_BY = "DL-DE-BY-2.0", _("DL-DE-BY 2.0 (German data licence, attribution)")


class Dataset(OwnedModel):
    """Frames with labels that belong together, in numbered versions."""

    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    licence = models.CharField(
        _("licence"), max_length=24, choices=Licence, blank=True, default=Licence.UNSTATED
    )
    tags = models.JSONField(_("tags"), default=list, blank=True)
    authors = models.JSONField(default=list, blank=True)  # see `datasets.credits.Author`
    funding = models.TextField(_("funding"), blank=True)
    embargo_until = models.DateField(_("embargo until"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=400, blank=True)
    # Summary of the current contents, refreshed whenever they change.
    frame_count = models.PositiveIntegerField(_("frames"), default=0)
    elements_key = models.CharField(max_length=480, blank=True)
    # Changes with the frames, in the same transaction: names the state of `datasets.snapshots`.
    frames_mark = models.UUIDField(default=uuid.uuid4, editable=False)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["-modified_at", "-pk"]
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        indexes = [models.Index(fields=["lab", "-modified_at"], name="dataset_lab_new")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:detail", args=[self.public_id])

    @property
    def is_embargoed(self) -> bool:
        return self.embargo_until is not None and self.embargo_until > embargo_today()

    @property
    def elements(self) -> list[str]:
        return [e for e in self.elements_key.split("|") if e]


class DatasetVersion(models.Model):
    """A numbered state of a dataset: one draft at most, the others published for good.

    The contents are the frames with ``added_in <= number < removed_in``; `checksum` is the
    SHA-256 over the frames' document hashes in order.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)
    published_by = models.ForeignKey(
        "labs.User", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    notes = models.TextField(_("what changed"), blank=True)
    licence = models.CharField(max_length=24, blank=True)
    citation = models.TextField(blank=True)
    # As they were on the day of publication.
    title = models.CharField(max_length=200, blank=True)
    authors = models.JSONField(default=list, blank=True)
    funding = models.TextField(blank=True)
    split = models.JSONField(null=True, blank=True)  # see `datasets.splits.StatedSplit`
    frame_count = models.PositiveIntegerField(default=0)
    elements_key = models.CharField(max_length=480, blank=True)
    checksum = models.CharField(max_length=64, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=400, blank=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["dataset_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="one_version_per_number"),
            models.UniqueConstraint(
                fields=["dataset"], condition=Q(published_at=None), name="one_draft_per_dataset"
            ),
            models.CheckConstraint(
                condition=Q(published_at=None, checksum="")
                | (Q(published_at__isnull=False, frame_count__gt=0) & ~Q(checksum="")),
                name="published_means_checksummed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name} v{self.number}"

    def get_absolute_url(self) -> str:
        return f"{self.dataset.get_absolute_url()}?version={self.number}"

    @property
    def is_draft(self) -> bool:
        return self.published_at is None

    @property
    def state(self) -> str:
        if self.withdrawn_at:
            return "withdrawn"
        return "draft" if self.is_draft else "published"

    @property
    def state_word(self) -> str:
        words = {"withdrawn": _("withdrawn"), "draft": _("draft"), "published": _("published")}
        return str(words[self.state])

    @property
    def number_text(self) -> str:
        return str(self.number)

    @property
    def elements(self) -> list[str]:
        return [e for e in self.elements_key.split("|") if e]
