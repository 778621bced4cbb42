"""Clusters, jobs and the record of what happened to them."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from jobs.ledger import Batch, Limit, Notice, NoticeSettings, Usage
from jobs.states import ACTIVE, EXPLANATIONS, FINAL, State
from labs.models import Lab, OwnedModel, Visibility
from labs.querysets import OwnedQuerySet

__all__ = [
    "Batch",
    "Cluster",
    "Credential",
    "Job",
    "JobMove",
    "Leftover",
    "Limit",
    "Notice",
    "NoticeSettings",
    "Submission",
    "Usage",
]


class Cluster(models.Model):
    """A machine that runs jobs; the built-in `local` one belongs to nobody and serves everybody."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    lab = models.ForeignKey(Lab, on_delete=models.PROTECT, null=True, related_name="+")
    visibility = models.CharField(
        _("visibility"), max_length=10, choices=Visibility, default=Visibility.LAB
    )
    shared = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="accounts",
        help_text=_("The lab's entry, where this one is a person's own account on it."),
    )
    is_builtin = models.BooleanField(default=False)
    is_active = models.BooleanField(_("takes new runs"), default=True)
    transport = models.CharField(_("transport"), max_length=20, default="local")
    scheduler = models.CharField(_("scheduler"), max_length=20, default="direct")
    work_dir = models.CharField(_("work folder"), max_length=400, blank=True)
    cores = models.PositiveIntegerField(
        _("cores"), null=True, help_text=_("What runs at once may use; empty: the scheduler knows.")
    )
    recipes = models.JSONField(_("code recipes"), default=dict, blank=True)
    options = models.JSONField(_("further settings"), default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    host = models.CharField(_("host"), max_length=200, blank=True)
    port = models.PositiveIntegerField(_("port"), default=22)
    login = models.CharField(_("account on the cluster"), max_length=80, blank=True)
    jump_hosts = models.CharField(_("jump hosts"), max_length=400, blank=True)
    known_hosts = models.JSONField(default=dict, blank=True)
    account = models.CharField(_("group or project"), max_length=80, blank=True)
    queues = models.JSONField(_("queues"), default=list, blank=True)
    setup = models.TextField(_("lines before every program"), blank=True)
    probe = models.JSONField(default=dict, blank=True)
    probed_at = models.DateTimeField(null=True)
    reconnect_reason = models.TextField(blank=True)
    login_failures = models.PositiveIntegerField(default=0)
    login_not_before = models.DateTimeField(null=True)

    lease_token = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    next_poll_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    trouble = models.TextField(blank=True)
    contacted_at = models.DateTimeField(null=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-is_builtin", "name"]
        constraints = [
            models.UniqueConstraint(fields=["lab", "owner", "name"], name="one_cluster_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def entry(self) -> Cluster:
        """The lab's entry, which people choose in forms."""
        return self.shared or self


class Credential(models.Model):
    """How the portal signs in on a cluster; secrets are encrypted with a key outside the database.

    A table of its own, so that no list, page or answer of the API ever reads it by accident.
    """

    class Method(models.TextChoices):
        KEY = "key", _("key")
        PASSWORD = "password", _("password")
        KEY_FILE = "file", _("key file of the server")
        AGENT = "agent", _("SSH agent of the server")

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="credential")
    method = models.CharField(_("method"), max_length=10, choices=Method)
    secret = models.TextField()
    public_key = models.TextField(blank=True)
    one_time = models.TextField(blank=True)
    one_time_until = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.cluster} · {self.method}"


class Job(OwnedModel):
    """One run directory on its way to a cluster and back.

    `state` is written by `jobs.machine.move` only; `resources` holds the fields of
    `mlmd.launch.Resources`, `launch` the whole of it once the input is prepared.
    """

    kind = models.CharField(_("kind"), max_length=40)
    title = models.CharField(_("title"), max_length=200)
    spec = models.JSONField(default=dict)
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="jobs")
    resources = models.JSONField(default=dict)
    launch = models.JSONField(default=dict)
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="clones"
    )

    batch = models.ForeignKey(
        Batch, on_delete=models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    # Nullable, so that they could be added to a large table in no time.
    continuations = models.PositiveSmallIntegerField(
        null=True, help_text=_("How often it may still go on by itself after its time limit.")
    )
    continued_from = models.PositiveIntegerField(
        null=True, help_text=_("The attempt whose checkpoint this one goes on from.")
    )
    size_bytes = models.BigIntegerField(null=True)

    state = models.CharField(_("state"), max_length=12, choices=State, default=State.CREATED)
    state_changed_at = models.DateTimeField()
    blocked_from = models.CharField(max_length=12, choices=State, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    log_tail = models.TextField(blank=True)
    progress = models.JSONField(default=dict)
    files = models.JSONField(default=list)

    attempt = models.PositiveIntegerField(default=1)
    token = models.CharField(max_length=32, unique=True)
    scheduler_id = models.CharField(max_length=120, blank=True)
    queue_reason = models.TextField(blank=True)
    missing_since = models.DateTimeField(null=True)
    stop_sent_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    exit_cause = models.CharField(max_length=20, blank=True)
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    lease_token = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    next_step_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    clean_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["lab", "state", "-created_at"], name="job_lab_state_created"),
            models.Index(fields=["lab", "-created_at"], name="job_lab_created"),
            models.Index(fields=["owner", "-created_at"], name="job_owner_created"),
            # Not partial: SQLite can't prove a partial index from bound parameters.
            models.Index(fields=["state", "next_step_at"], name="job_to_step"),
            models.Index(fields=["cluster", "state"], name="job_on_cluster"),
            models.Index(fields=["clean_at"], name="job_to_clean"),
        ]

    def __str__(self) -> str:
        return self.title or f"job {self.pk}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def explanation(self) -> Any:
        """One translated sentence about the state."""
        return EXPLANATIONS[State(self.state)]


class JobMove(models.Model):
    """One line of a job's history: written once, never changed."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="moves")
    attempt = models.PositiveIntegerField()
    origin = models.CharField(max_length=12, choices=State, blank=True)
    target = models.CharField(max_length=12, choices=State)
    reason = models.TextField(blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.job}: {self.origin or '·'} → {self.target}"


class Submission(models.Model):
    """Says that an attempt may have been handed to a scheduler; written before the handing over."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="submissions")
    attempt = models.PositiveIntegerField()
    token = models.CharField(max_length=32, unique=True)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    scheduler_id = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["job", "attempt"], name="one_submission_per_attempt")
        ]

    def __str__(self) -> str:
        return f"{self.job} · {self.attempt} · {self.scheduler_id or '?'}"


class Leftover(models.Model):
    """A run directory on a cluster whose job was deleted; the sweep removes it."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="leftovers")
    folder = models.TextField()
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.cluster}:{self.folder}"
