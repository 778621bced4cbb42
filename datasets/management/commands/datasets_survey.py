"""Bring energies above the hull, elements and maps of datasets up to date, here and now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from datasets.models import Dataset, DatasetSurvey
from datasets.services.surveys import dataset_survey, surveys_waiting


class Command(BaseCommand):
    """Do at once what workers do behind the scenes, for instance after an upgrade."""

    help = (
        "Survey datasets: energies above the hull, covered elements, the map of frames. Without "
        "arguments those whose frames changed; workers do the same by themselves."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", nargs="*", type=UUID, help="identifiers; surveyed anew")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dataset"]:
            keys = [self._asked(public_id) for public_id in options["dataset"]]
        else:
            keys = surveys_waiting(most=Dataset.objects.count())
        for number, key in enumerate(keys, 1):
            dataset = Dataset.objects.get(pk=key)
            if not dataset_survey(dataset_id=key, slice_seconds=float("inf")):
                self.stderr.write(f"{dataset}: another worker is at it; nothing was done.")
                continue
            placed = DatasetSurvey.objects.get(dataset=dataset).placed
            self.stdout.write(f"{number} of {len(keys)}: {dataset}, {placed} frames on the map")
        self.stdout.write(f"{len(keys)} datasets were looked at.")

    def _asked(self, public_id: UUID) -> int:
        dataset = Dataset.objects.filter(public_id=public_id).first()
        if dataset is None:
            raise CommandError(
                f"There is no dataset {public_id}; the page of a dataset shows its id."
            )
        DatasetSurvey.objects.filter(dataset=dataset).update(mark=None, fingerprints=0)
        return dataset.pk
