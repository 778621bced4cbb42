"""Uploads: one row per file, kept with its report whatever came of it."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from datasets.visibility import UploadQuerySet
from labs.models import OwnedModel


class UploadState(models.TextChoices):
    """What has become of a file."""

    WAITING = "waiting", _("waiting")
    PARSING = "parsing", _("being read")
    ACCEPTED = "accepted", _("accepted")
    REFUSED = "refused", _("refused")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class UploadTarget(models.TextChoices):
    """What a file is read as."""

    FRAMES = "frames", _("teacher data")
    STRUCTURES = "structures", _("structures")


class Upload(OwnedModel):
    """A file that somebody sent; the original stays, so that it can be read again."""

    target = models.CharField(max_length=12, choices=UploadTarget)
    dataset = models.ForeignKey(
        "datasets.Dataset",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="uploads",
    )
    name = models.CharField(_("file name"), max_length=255)
    size = models.BigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    format = models.CharField(_("format"), max_length=24, blank=True)
    kind = models.CharField(_("kind of configuration"), max_length=120, blank=True)
    length_unit = models.CharField(_("length unit"), max_length=12, blank=True)
    energy_unit = models.CharField(_("energy unit"), max_length=12, blank=True)

    state = models.CharField(
        _("state"), max_length=12, choices=UploadState, default=UploadState.WAITING
    )
    reason = models.TextField(_("reason"), blank=True)
    report = models.JSONField(default=dict, blank=True)
    frames_kept = models.PositiveIntegerField(_("frames kept"), default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        indexes = [
            models.Index(fields=["state", "lease_until"], name="upload_waiting"),
            models.Index(fields=["dataset", "-created_at"], name="upload_dataset"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(target="structures", dataset=None)
                | models.Q(target="frames", dataset__isnull=False),
                name="frames_go_into_a_dataset",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:upload-detail", args=[self.public_id])

    @property
    def is_final(self) -> bool:
        return self.state not in {UploadState.WAITING, UploadState.PARSING}
