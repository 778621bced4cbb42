"""Database leases: who does remote work on a row right now, until when."""

from __future__ import annotations

import datetime
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs.errors import Overtaken
from jobs.models import Cluster, Job

log = logging.getLogger(__name__)


class Lease:
    """The right to work on one row, kept alive by a thread until `held` lets go of it."""

    def __init__(self, model: type[Job] | type[Cluster], pk: int, seconds: float) -> None:
        self.token = f"{os.getpid()}-{uuid.uuid4().hex}"
        self._model, self._pk, self._seconds = model, pk, seconds
        self._renewed = time.monotonic()
        self._let_go = threading.Event()

    def take(self) -> bool:
        """Take the lease if it is free or has run out."""
        now = timezone.now()
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return bool(
            self._model._default_manager.filter(free, pk=self._pk).update(
                lease_token=self.token, lease_until=self._end(now)
            )
        )

    def renew(self) -> None:
        """Move the end of the lease on; call it before a step that must not be done twice.

        Raises:
            Overtaken: it ran out and somebody else has it.
        """
        if not self._mine().update(lease_until=self._end(timezone.now())):
            raise Overtaken(f"the lease on {self._model.__name__} {self._pk} was lost")
        self._renewed = time.monotonic()

    def ensure(self) -> None:
        """Renew when a good part of the time has passed; cheap enough for every turn of a loop.

        Raises:
            Overtaken: it ran out and somebody else has it.
        """
        if time.monotonic() - self._renewed > self._seconds / 4:
            self.renew()

    def give_back(self) -> None:
        self._mine().update(lease_token="", lease_until=None)

    def keep_alive(self) -> None:
        """Renew at thirds of the lease until it is given back or lost; runs in a thread."""
        try:
            while not self._let_go.wait(self._seconds / 3):
                try:
                    self.renew()
                except OperationalError as error:
                    log.warning("lease on %s: %s; trying again", self._pk, error)
        except Overtaken as error:
            log.warning("%s", error)
        finally:
            connection.close()

    def stop(self) -> None:
        self._let_go.set()

    def _mine(self) -> QuerySet[Any]:
        return self._model._default_manager.filter(pk=self._pk, lease_token=self.token)

    def _end(self, now: datetime.datetime) -> datetime.datetime:
        return now + datetime.timedelta(seconds=self._seconds)


@contextmanager
def held(
    model: type[Job] | type[Cluster], pk: int, seconds: float | None = None
) -> Iterator[Lease | None]:
    """Hold the lease on a row for as long as the block lasts; None when somebody else has it."""
    lease = Lease(model, pk, seconds or settings.MLMD_LEASE_SECONDS)
    if not lease.take():
        yield None
        return
    keeper = threading.Thread(target=lease.keep_alive, name=f"lease-{pk}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        lease.stop()
        keeper.join()
        lease.give_back()
