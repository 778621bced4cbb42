"""Registers the kind of job that counts its own starts."""

from __future__ import annotations

from django.apps import AppConfig

from jobs.kinds import register


class FaultsConfig(AppConfig):
    name = "tests.faults"
    label = "faults"

    def ready(self) -> None:
        from tests.faults.counted import COUNTED

        register(COUNTED)
