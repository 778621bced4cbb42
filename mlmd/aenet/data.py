"""What aenet will be given: frames that it can use, functions, energies of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlmd.aenet.conversion import why_not_functions
from mlmd.aenet.settings import AenetSettings, FunctionKind
from mlmd.errors import InvalidInput
from mlmd.formats.aenet_xsf import PERIODIC
from mlmd.frame import Frame
from mlmd.hdnnp.automatic import Functions, elements_of, sort_elements
from mlmd.hdnnp.pruning import Pruning
from mlmd.hdnnp.training import Exclusion, Notice
from mlmd.hdnnp.training.baseline import atom_energies
from mlmd.hdnnp.training.choice import choose_functions
from mlmd.hdnnp.training.screening import data_hash, group_of, require_usable, survey

FLAT = 1e-10
ENERGIES_ONLY = Notice(
    "energies-only",
    "aenet's train.x learns from energies alone, not from forces: many frames, or our own engine, "
    "make better forces.",
)


@dataclass(frozen=True)
class AenetData:
    """Frames and what follows from them, before the first program runs.

    Args:
        settings: as chosen.
        frames: the used ones.
        indices: of these frames among those given.
        elements: symbols sorted by atomic number.
        functions: symmetry functions of each element; none for Chebyshev functions.
        atom_energies: of each element, eV, by least squares.
        excluded: frames left out, with reasons.
        notices: warnings.
        sha256: of all frames given.
        pruning: what became of the automatic functions; None where they weren't thinned out.
    """

    settings: AenetSettings
    frames: tuple[Frame, ...]
    indices: tuple[int, ...]
    elements: tuple[str, ...]
    functions: Functions | None
    atom_energies: dict[str, float]
    excluded: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]
    sha256: str
    pruning: Pruning | None = None


def prepare_data(settings: AenetSettings, frames: Sequence[Frame]) -> AenetData:
    """Choose frames, functions and energies of atoms.

    Raises:
        InvalidInput: no frame can be used, or given functions aren't aenet's.
    """
    ours = settings.as_ours
    found = survey(frames, ours)
    require_usable(found, len(frames))
    reasons = {index: _unfit(frames[index]) for index in found.kept}
    indices = tuple(index for index in found.kept if not reasons[index])
    excluded = list(found.exclusions)
    excluded += [Exclusion(i, group_of(frames[i]), why) for i, why in reasons.items() if why]
    if len(indices) < 2:
        raise InvalidInput(
            "training data",
            f"{len(indices)} of {len(frames)} frames can be used by aenet"
            + (f" ({excluded[-1].reason})" if excluded else ""),
            "at least two frames with an energy, and either three lattice vectors or none",
            "Choose other data, or train with mlmd.hdnnp.training.",
        )
    used = [frames[index] for index in indices]
    elements = sort_elements({symbol for frame in used for symbol in elements_of(frame.numbers)})
    energies = atom_energies(used, elements)
    notices = [*found.notices, ENERGIES_ONLY]
    functions: Functions | None = None
    pruning: Pruning | None = None
    if settings.functions is FunctionKind.SYMMETRY:
        choice = choose_functions(ours, elements, used)
        functions, pruning = choice.functions, choice.pruning
        notices += choice.notices
        if reason := why_not_functions(functions):
            raise InvalidInput(
                "aenet settings: symmetry_functions", reason, "types 2, 3 and 9, not shifted"
            )
    return AenetData(
        settings=settings,
        frames=tuple(used),
        indices=indices,
        elements=elements,
        functions=functions,
        atom_energies=dict(zip(elements, map(float, energies), strict=True)),
        excluded=tuple(excluded),
        notices=tuple(notices),
        sha256=data_hash(frames),
        pruning=pruning,
    )


def _unfit(frame: Frame) -> str:
    """Return why aenet's format can't hold a frame; empty where it can."""
    if frame.energy is None:
        return "no energy: aenet needs one"
    flat = any(frame.pbc) and abs(float(np.linalg.det(frame.cell))) < FLAT
    if flat or frame.pbc not in PERIODIC.values():
        return "periodic in some directions, with a cell that XSF can't say: add vacuum"
    return ""
