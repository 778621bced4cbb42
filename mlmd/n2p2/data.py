"""What n2p2 will be given: frames that it can use, functions, energies of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.automatic import Functions
from mlmd.hdnnp.pruning import Pruning
from mlmd.hdnnp.training import Notice
from mlmd.hdnnp.training.baseline import atom_energies
from mlmd.hdnnp.training.choice import choose_functions
from mlmd.hdnnp.training.screening import (
    Exclusion,
    data_hash,
    group_of,
    require_usable,
    survey,
)
from mlmd.hdnnp.training.split import hold_out
from mlmd.n2p2.settings import N2p2Settings

FLAT = 1e-10


@dataclass(frozen=True)
class TrainingData:
    """Frames and what follows from them, before the first program runs.

    Args:
        settings: as chosen.
        frames: the used ones, as n2p2 sees them (small cells perhaps repeated).
        indices: of these frames among those given.
        held_out: rows of `frames` that are never learned from.
        elements: symbols sorted by atomic number.
        functions: kept symmetry functions of each element; none is constant where it can be helped.
        constant: elements whose atoms all have the same surroundings.
        atom_energies: of each element, eV, by least squares.
        has_forces: whether forces are learned.
        can_normalise: whether energies and forces vary, as nnp-norm needs.
        excluded: frames left out, with reasons.
        notices: warnings.
        sha256: of all frames given.
        pruning: what became of the automatic functions; None where they weren't thinned out.
    """

    settings: N2p2Settings
    frames: tuple[Frame, ...]
    indices: tuple[int, ...]
    held_out: frozenset[int]
    elements: tuple[str, ...]
    functions: Functions
    constant: tuple[str, ...]
    atom_energies: dict[str, float]
    has_forces: bool
    can_normalise: bool
    excluded: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]
    sha256: str
    pruning: Pruning | None = None


def prepare_data(settings: N2p2Settings, frames: Sequence[Frame]) -> TrainingData:
    """Choose frames, functions and energies of atoms.

    Raises:
        InvalidInput: no frame can be used, or given functions don't fit the elements.
    """
    ours = settings.as_ours
    found = survey(frames, ours)
    require_usable(found, len(frames))
    has_forces = any(frames[index].forces is not None for index in found.kept)
    reasons = {index: _unfit(frames[index], has_forces) for index in found.kept}
    indices = tuple(index for index in found.kept if not reasons[index])
    excluded = list(found.exclusions)
    excluded += [Exclusion(i, group_of(frames[i]), why) for i, why in reasons.items() if why]
    if not indices:
        raise InvalidInput(
            "training data",
            f"none of {len(frames)} frames can be used by n2p2 ({excluded[-1].reason})",
            "frames with an energy, forces, and either three lattice vectors or none",
            "Choose other data, or train with mlmd.hdnnp.training.",
        )
    used = [frames[index] for index in indices]
    training, held_out = hold_out(used, settings.validation_fraction, settings.seed, settings.split)
    learned = [used[row] for row in training]
    choice = choose_functions(ours, found.elements, learned)
    functions, scaling = choice.functions, choice.scaling
    notices = [*found.notices, *choice.notices]
    energies = atom_energies(learned, found.elements)
    small = [row for row, frame in enumerate(used) if prod(_repeats(frame, settings)) > 1]
    if small and settings.repeat_small_cells:
        used = [_repeated(frame, _repeats(frame, settings)) for frame in used]
    elif small:
        notices.append(
            Notice(
                "small-cells",
                f"{len(small)} of {len(used)} frames have a cell smaller than the cutoff: n2p2's "
                "forces are wrong there, by up to a sixth. Repeat small cells, or take our engine.",
            )
        )
    return TrainingData(
        settings=settings,
        frames=tuple(used),
        indices=indices,
        held_out=frozenset(held_out),
        elements=found.elements,
        functions=functions,
        constant=tuple(e for e in found.elements if _is_constant(scaling[e].sigma, functions[e])),
        atom_energies=dict(zip(found.elements, map(float, energies), strict=True)),
        has_forces=has_forces,
        can_normalise=has_forces and _varies(used, energies, found.elements),
        excluded=tuple(excluded),
        notices=tuple(notices),
        sha256=data_hash(frames),
        pruning=choice.pruning,
    )


def _unfit(frame: Frame, has_forces: bool) -> str:
    """Return why n2p2's format can't hold a frame; empty where it can."""
    if frame.energy is None:
        return "no energy: n2p2 needs one"
    if has_forces and frame.forces is None:
        return "no forces, while other frames have some"
    if any(frame.pbc) and abs(float(np.linalg.det(frame.cell))) < FLAT:
        return "periodic in some directions, no lattice vector in others: add vacuum"
    return ""


def _is_constant(sigma: FloatArray, functions: Sequence[object]) -> bool:
    # `choose_functions` keeps one constant function where an element has no other, with σ = 1.
    return len(functions) == 1 and float(sigma[0]) == 1.0


def _repeats(frame: Frame, settings: N2p2Settings) -> tuple[int, int, int]:
    """Return how often to repeat the cell so that no atom has its own image within the cutoff."""
    if not any(frame.pbc):
        return (1, 1, 1)
    # The distance between lattice planes bounds that of any image across them from below.
    heights = 1.0 / np.linalg.norm(np.linalg.inv(frame.cell), axis=0)
    a, b, c = (max(1, int(np.ceil(settings.cutoff_radius / h))) for h in heights)
    return (a, b, c)


def _repeated(frame: Frame, repeats: tuple[int, int, int]) -> Frame:
    count = prod(repeats)
    if count == 1:
        return frame
    shifts = np.array(list(np.ndindex(*repeats)), float) @ frame.cell
    positions = (frame.positions[None] + shifts[:, None]).reshape(-1, 3)
    return replace(
        frame,
        numbers=np.tile(frame.numbers, count),
        positions=positions,
        cell=frame.cell * np.array(repeats)[:, None],
        energy=None if frame.energy is None else frame.energy * count,
        forces=None if frame.forces is None else np.tile(frame.forces, (count, 1)),
        energy_sigma0=None,
        magnetic_moments=None,
        fixed=None,
    )


def _varies(frames: Sequence[Frame], energies: FloatArray, elements: tuple[str, ...]) -> bool:
    """Whether nnp-norm can divide by the spread of energies per atom and of forces."""
    if len(frames) < 2:
        return False
    own = {atomic_numbers[e]: energy for e, energy in zip(elements, energies, strict=True)}
    heights = [((f.energy or 0.0) - sum(own[int(z)] for z in f.numbers)) / len(f) for f in frames]
    forces = np.concatenate([f.forces.ravel() for f in frames if f.forces is not None])
    return float(np.std(heights)) > 1e-6 and float(forces.std()) > 1e-6
