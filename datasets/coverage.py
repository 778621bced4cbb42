"""Which elements a set of frames covers, and how well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Count, Max, Min, Sum

from datasets.models import Dataset, DatasetSurvey
from datasets.querysets import FrameQuerySet
from mlmd.documents.formula import formula_counts
from mlmd.errors import InvalidInput


@dataclass(frozen=True)
class ElementCoverage:
    """What frames say of an element.

    Args:
        frames: that hold it.
        atoms: of it, in all of them.
        force_min: smallest of the frames' largest forces, eV/Å; None without forces.
        force_max: largest force in any of them, eV/Å.
    """

    frames: int
    atoms: int
    force_min: float | None = None
    force_max: float | None = None

    def joined(self, other: ElementCoverage) -> ElementCoverage:
        return ElementCoverage(
            self.frames + other.frames,
            self.atoms + other.atoms,
            min(_known(self.force_min, other.force_min), default=None),
            max(_known(self.force_max, other.force_max), default=None),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Coverage = dict[str, ElementCoverage]


def coverage_of(frames: FrameQuerySet) -> Coverage:
    """Return element → coverage of frames, by one query over their formulas."""
    rows = frames.order_by().values_list("formula", "elements_key")
    covered: Coverage = {}
    for formula, key, count, atoms, low, high in rows.annotate(
        Count("pk"), Sum("n_atoms"), Min("max_force"), Max("max_force")
    ):
        shares = _shares(formula, key)
        for element, share in shares.items():
            found = ElementCoverage(count, round(atoms * share), low, high)
            known = covered.get(element)
            covered[element] = known.joined(found) if known else found
    return covered


def coverage_visible_to(user: Any, dataset: Dataset | None = None) -> Coverage:
    """Return the coverage of what datasets hold now, as far as it has been surveyed."""
    datasets = Dataset.objects.visible_to(user).filter(frame_count__gt=0)
    if dataset is not None:
        datasets = datasets.filter(pk=dataset.pk)
    surveys = DatasetSurvey.objects.filter(dataset__in=datasets.values("pk"))
    return coverage_sum(
        coverage_from_json(values) for values in surveys.values_list("coverage", flat=True)
    )


def coverage_sum(parts: Iterable[Coverage]) -> Coverage:
    total: Coverage = {}
    for part in parts:
        for element, found in part.items():
            total[element] = total[element].joined(found) if element in total else found
    return total


def coverage_to_json(coverage: Coverage) -> dict[str, Any]:
    return {element: found.to_json() for element, found in coverage.items()}


def coverage_from_json(values: Mapping[str, Any]) -> Coverage:
    return {element: ElementCoverage(**found) for element, found in values.items()}


def _shares(formula: str, elements_key: str) -> dict[str, float]:
    try:
        counts = formula_counts(formula)
    except InvalidInput:  # cut where a mixture of very many elements made it too long
        elements = [element for element in elements_key.split("|") if element]
        return dict.fromkeys(elements, 1 / len(elements))
    atoms = sum(counts.values())
    return {element: count / atoms for element, count in counts.items()}


def _known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]
