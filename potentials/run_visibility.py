"""Who may see a run whose files hold frames: nobody who may not see the frames."""

from __future__ import annotations

from collections.abc import Iterable

from datasets.models import DatasetVersion
from labs.models import Visibility

_FROM_NARROW = [Visibility.PRIVATE, Visibility.LAB, Visibility.PUBLIC]


def run_visibility(wanted: str, lab_id: int, versions: Iterable[DatasetVersion]) -> str:
    """Return the widest visibility that shows the frames to nobody new.

    Args:
        wanted: of what the run is for.
        lab_id: the lab that the run belongs to.
        versions: whose frames are in its files.
    """
    widest = [wanted]
    for version in versions:
        dataset = version.dataset
        if dataset.visibility != Visibility.PUBLIC:
            is_shared = dataset.lab_id == lab_id and dataset.visibility == Visibility.LAB
            widest.append(Visibility.LAB if is_shared else Visibility.PRIVATE)
    return min(widest, key=_FROM_NARROW.index)
