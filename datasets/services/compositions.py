"""Notes the chemical formulas that frames have, for searching by formula and by shares."""

from __future__ import annotations

from collections.abc import Iterable

from datasets.models import Composition, CompositionShare
from datasets.querysets import FrameQuerySet
from mlmd.documents.formula import formula_anonymous, formula_counts, formula_reduced
from mlmd.errors import InvalidInput


def compositions_ensure(frames: FrameQuerySet) -> None:
    """Note the compositions of these frames that aren't known yet; the caller's transaction."""
    formulas = frames.order_by("formula").values_list("formula", flat=True).distinct()
    known = Composition.objects.values("formula")
    counts = dict(_counted(formulas.exclude(formula__in=known)))
    Composition.objects.bulk_create(
        [
            Composition(
                formula=formula,
                formula_reduced=formula_reduced(atoms),
                formula_anonymous=formula_anonymous(atoms),
            )
            for formula, atoms in counts.items()
        ],
        batch_size=500,
        ignore_conflicts=True,
    )
    # Rows that another upload made meanwhile keep their own keys: these are asked for.
    keys = Composition.objects.in_bulk(list(counts), field_name="formula")
    CompositionShare.objects.bulk_create(
        [
            CompositionShare(composition=keys[formula], element=element, ratio=n / sum(c.values()))
            for formula, c in counts.items()
            for element, n in c.items()
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def _counted(formulas: Iterable[str]) -> Iterable[tuple[str, dict[str, int]]]:
    for formula in formulas:
        try:
            yield formula, formula_counts(formula)
        except InvalidInput:
            continue  # cut where a mixture of very many elements made it too long
