"""Which frames belong to which version, and who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _

from labs.exceptions import Refused

if TYPE_CHECKING:
    from datasets.models import Dataset, DatasetVersion


class FrameQuerySet(models.QuerySet):
    """Frames, seen through the datasets that hold them.

    A frame carries the number of the version that added it and of the one that removed it, so
    a version is a condition on two integers: publishing copies no row, and no later change of
    the dataset can touch what a published version holds.
    """

    def visible_to(self, user: Any) -> FrameQuerySet:
        # The ids are few: fetching them first keeps the frames' own indexes in use.
        ids = _dataset_model().objects.visible_to(user).values_list("pk", flat=True)
        return self.accepted().filter(dataset_id__in=list(ids))

    def editable_by(self, user: Any) -> FrameQuerySet:
        ids = _dataset_model().objects.editable_by(user).values_list("pk", flat=True)
        return self.accepted().filter(dataset_id__in=list(ids))

    def accepted(self) -> FrameQuerySet:
        """Leave out what a running upload has stored so far."""
        return self.filter(added_in__isnull=False)

    def current(self) -> FrameQuerySet:
        """What the datasets hold now: the draft where there is one."""
        return self.filter(added_in__isnull=False, removed_in=None)

    def in_number(self, dataset: Dataset, number: int) -> FrameQuerySet:
        return self.filter(within(dataset.pk, number))

    def in_version(self, version: DatasetVersion) -> FrameQuerySet:
        return self.filter(within(version.dataset_id, version.number))


class VersionQuerySet(models.QuerySet):
    """Versions; bulk changes never reach a published one."""

    def visible_to(self, user: Any) -> VersionQuerySet:
        return self.filter(dataset__in=_dataset_model().objects.visible_to(user))

    def editable_by(self, user: Any) -> VersionQuerySet:
        return self.filter(dataset__in=_dataset_model().objects.editable_by(user))

    def published(self) -> VersionQuerySet:
        return self.filter(published_at__isnull=False)

    def usable(self) -> VersionQuerySet:
        """Published and not withdrawn: what a training may use."""
        return self.published().filter(withdrawn_at=None, dataset__withdrawn_at=None)

    def update(self, **values: Any) -> int:
        if not set(values) <= {"withdrawn_at", "withdrawn_reason"}:
            self._refuse_published()
        return super().update(**values)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._refuse_published()
        return super().delete()

    def _refuse_published(self) -> None:
        fixed = self.published().select_related("dataset").first()
        if fixed is not None:
            raise Refused(
                _("%(version)s is published and can't change: publish a new version instead.")
                % {"version": fixed}
            )


def within(dataset_id: int, number: int) -> Q:
    """The condition for frames of one version of one dataset."""
    return Q(dataset_id=dataset_id) & within_number(number)


def within_number(number: int) -> Q:
    """The condition for frames that belong to the version of this number, of any dataset."""
    return Q(added_in__lte=number) & (Q(removed_in=None) | Q(removed_in__gt=number))


def _dataset_model() -> Any:
    from datasets.models import Dataset

    return Dataset
