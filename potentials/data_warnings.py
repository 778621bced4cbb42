"""What a person should know of a selection of frames before training on it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets.models import Frame
from datasets.selections import Selection, iterate_frames
from mlmd.hdnnp.training import TrainingSettings, survey
from mlmd.hdnnp.training.screening import FEW_ATOMS_OF_ELEMENT, FEW_FRAMES_OF_ELEMENT
from potentials.data_facts import DataFacts

FEW_FRAMES = 50
# Units are those of whole files: some frames from all over show them.
FRAMES_TO_MEASURE = 24


def data_warnings(facts: DataFacts) -> list[str]:
    """Return what the size and make-up of a selection say, most important first."""
    warnings = []
    if len(facts.levels) > 1:
        warnings.append(
            _(
                "The frames were computed in %(count)s different ways (%(levels)s): their energies "
                "don't fit together. Choose one way with the filters."
            )
            % {"count": len(facts.levels), "levels": "; ".join(facts.levels[:4])}
        )
    if 0 < facts.frames < FEW_FRAMES:
        warnings.append(
            _(
                "Only %(count)s frames: the potential will know little beyond them. A first set "
                "has 150 to 300."
            )
            % {"count": facts.frames}
        )
    warnings += [_few_of(element, facts) for element in facts.elements if _has_few(element, facts)]
    if facts.frames and facts.without_forces == facts.frames:
        warnings.append(
            _(
                "No frame has forces: those of the potential will be rough, and many more frames "
                "are needed."
            )
        )
    if facts.without_energy:
        warnings.append(
            _("%(count)s frames have no energy; they are left out or fitted by forces alone.")
            % {"count": facts.without_energy}
        )
    return warnings


def unit_warnings(selection: Selection, user: Any) -> list[str]:
    """Return what distances say against Å, from some frames all over the selection.

    Raises:
        labs.exceptions.Refused: the selection can't be used.
    """
    keys = list(selection.queryset(user).values_list("pk", flat=True))
    chosen = keys[:: max(1, len(keys) // FRAMES_TO_MEASURE)][:FRAMES_TO_MEASURE]
    frames = list(iterate_frames(Frame.objects.filter(pk__in=chosen)))
    found = survey(frames, TrainingSettings()).notices
    return [notice.text for notice in found if notice.code == "units"]


def _has_few(element: str, facts: DataFacts) -> bool:
    atoms, frames = facts.atoms_of.get(element), facts.frames_with.get(element)
    if atoms is None or frames is None:
        return False
    return atoms < FEW_ATOMS_OF_ELEMENT or frames < FEW_FRAMES_OF_ELEMENT <= facts.frames


def _few_of(element: str, facts: DataFacts) -> str:
    frames = facts.frames_with[element]
    return ngettext(
        "%(element)s is in %(count)s frame only, with %(atoms)s atoms: what it does elsewhere "
        "isn't learned. Add frames with it.",
        "%(element)s is in %(count)s frames only, with %(atoms)s atoms: what it does elsewhere "
        "isn't learned. Add frames with it.",
        frames,
    ) % {"element": element, "count": frames, "atoms": facts.atoms_of[element]}
