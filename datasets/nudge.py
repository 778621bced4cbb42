"""Wakes a worker; the rows are the truth, so a lost message only costs the sweep's period."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def parse_soon(upload_id: int) -> None:
    """Ask for an upload to be read, once the current transaction is in."""
    transaction.on_commit(lambda: _send(upload_id))


def _send(upload_id: int) -> None:
    try:
        current_app.send_task("datasets.tasks.parse_upload", [upload_id])
    except (OperationalError, OSError) as error:
        log.warning("upload %s waits for the sweep: the broker refused (%s)", upload_id, error)
