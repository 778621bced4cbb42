"""The states of a job, and what a person reads for each."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    CREATED = "created", _("preparing")
    STAGED = "staged", _("waiting")
    SUBMITTED = "submitted", _("queued")
    RUNNING = "running", _("running")
    ENDED = "ended", _("collecting files")
    FETCHED = "fetched", _("evaluating")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    BLOCKED = "blocked", _("blocked")
    CANCELLING = "cancelling", _("cancelling")
    CANCELLED = "cancelled", _("cancelled")


FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})
ACTIVE = frozenset(State) - FINAL
ON_CLUSTER = frozenset({State.STAGED, State.SUBMITTED, State.RUNNING, State.CANCELLING})
"""States that the poll of the cluster carries on."""
STEPPED = frozenset({State.CREATED, State.ENDED, State.FETCHED, State.BLOCKED})
"""States that a worker carries on by itself, job by job."""

EXPLANATIONS = {
    State.CREATED: _("The input files are being written and copied to the cluster."),
    State.STAGED: _("The files are on the cluster; the run is handed over when there is room."),
    State.SUBMITTED: _("The cluster has accepted the run and has not started it yet."),
    State.RUNNING: _("The run is working on the cluster."),
    State.ENDED: _("The run has ended; its files are being copied to the portal."),
    State.FETCHED: _("The files have arrived; the results are being read."),
    State.DONE: _("The run has ended, and its results are in the catalog."),
    State.FAILED: _("The run went wrong; the reason and the end of its log are below."),
    State.BLOCKED: _("The cluster can't be reached or used; the portal tries again by itself."),
    State.CANCELLING: _("The cluster has been asked to stop the run."),
    State.CANCELLED: _("The run was stopped before it was finished."),
}
