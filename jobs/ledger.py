"""Rows around runs: runs started together, what each used, who is told, what a lab may use."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from jobs.states import State
from labs.models import Lab, OwnedModel


class Batch(OwnedModel):
    """Runs that somebody started together; each of them is a job of its own."""

    title = models.CharField(_("title"), max_length=200)
    kind = models.CharField(_("kind"), max_length=40)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["lab", "-created_at"], name="batch_lab_created")]

    def __str__(self) -> str:
        return self.title


class Usage(models.Model):
    """What one attempt of a run took; written once, in the step that ends it, and never changed.

    It keeps its own copy of names, so that it outlives the run and the cluster.
    """

    job = models.ForeignKey("jobs.Job", on_delete=models.SET_NULL, null=True, related_name="usages")
    job_id_text = models.UUIDField()
    attempt = models.PositiveIntegerField()
    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    cluster = models.ForeignKey(
        "jobs.Cluster", on_delete=models.SET_NULL, null=True, related_name="usages"
    )
    cluster_name = models.CharField(max_length=80)
    kind = models.CharField(max_length=40)
    outcome = models.CharField(max_length=12, choices=State)
    month = models.DateField(help_text=_("First day of the month in which it ended."))
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    wall_s = models.FloatField(default=0.0)
    node_hours = models.FloatField(default=0.0)
    core_hours = models.FloatField(default=0.0)
    gpu_hours = models.FloatField(default=0.0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["job_id_text", "attempt"], name="one_usage_per_attempt")
        ]
        indexes = [
            # What the sums read is in the index: a month of a busy lab is one range of it.
            models.Index(
                fields=["lab", "month", "cluster", "owner", "node_hours", "core_hours"],
                name="usage_sums",
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_id_text} · {self.attempt}: {self.node_hours:.3g} node-hours"


class Notice(models.Model):
    """Tells one person that a run ended or waits; written in the step that it tells about."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices"
    )
    job = models.ForeignKey("jobs.Job", on_delete=models.CASCADE, related_name="notices")
    attempt = models.PositiveIntegerField()
    outcome = models.CharField(_("outcome"), max_length=12, choices=State)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True)
    mail_claim = models.CharField(max_length=32, blank=True)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "job", "attempt", "outcome"], name="one_notice_per_outcome"
            )
        ]
        indexes = [
            models.Index(fields=["user", "read_at", "-id"], name="notice_of_user"),
            models.Index(fields=["mail_due_at"], name="notice_to_mail"),
        ]

    def __str__(self) -> str:
        return f"{self.job}: {self.get_outcome_display()} → {self.user}"


class NoticeSettings(models.Model):
    """How a person wants to be told; without a row, `jobs.notices` has defaults.

    `ways` maps a kind of run and an outcome to a way: ``{"md": {"failed": "mail"}}``.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notice_settings"
    )
    ways = models.JSONField(default=dict)
    mail_after_s = models.PositiveIntegerField(default=600)

    def __str__(self) -> str:
        return f"{self.user}"


class Limit(models.Model):
    """What a lab may use; its managers set it, `jobs.limits` enforces it."""

    class What(models.TextChoices):
        RUNNING = "running", _("runs at once, whole lab")
        RUNNING_PERSON = "running-person", _("runs at once, each person")
        NODE_HOURS = "node-hours", _("node-hours a month")
        DISK = "disk", _("storage, GB")

    lab = models.ForeignKey(Lab, on_delete=models.CASCADE, related_name="limits")
    what = models.CharField(max_length=16, choices=What)
    cluster = models.ForeignKey(
        "jobs.Cluster", on_delete=models.CASCADE, null=True, related_name="limits"
    )
    amount = models.FloatField()

    class Meta:
        ordering = ["what", "cluster__name"]
        constraints = [
            models.UniqueConstraint(fields=["lab", "what", "cluster"], name="one_limit_on_cluster"),
            models.UniqueConstraint(
                fields=["lab", "what"],
                condition=models.Q(cluster=None),
                name="one_limit_everywhere",
            ),
        ]

    def __str__(self) -> str:
        where = f" · {self.cluster}" if self.cluster else ""
        return f"{self.lab} · {self.get_what_display()}{where}: {self.amount:g}"
