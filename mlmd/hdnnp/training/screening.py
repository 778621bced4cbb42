"""Which frames can be trained on, why the others not, and what a user should know before."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from mlmd.documents import describe_mixture
from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.hdnnp.automatic import elements_of, sort_elements
from mlmd.hdnnp.training.settings import TrainingSettings
from mlmd.neighbors import neighbor_list

FEW_FRAMES = 20
FEW_ATOMS_OF_ELEMENT = 50
FEW_FRAMES_OF_ELEMENT = 5
# Neighbours are looked for up to so many sums of covalent radii; bohr taken for Å gives 1.9.
SEARCH = 2.2


@dataclass(frozen=True)
class Exclusion:
    """A frame that isn't trained on: its place in the data, kind, and the reason in words."""

    index: int
    kind: str
    reason: str


@dataclass(frozen=True)
class Notice:
    """What a user should know: a fixed word for programs, and a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class Survey:
    """What a training on these frames would use.

    Args:
        kept: indices of the frames that are used.
        exclusions: the others.
        elements: of the kept frames, sorted by atomic number.
        atoms: number of atoms in the kept frames.
        forces: number of force components in them.
        notices: warnings, most important first.
    """

    kept: tuple[int, ...]
    exclusions: tuple[Exclusion, ...]
    elements: tuple[str, ...]
    atoms: int
    forces: int
    notices: tuple[Notice, ...]


def group_of(frame: Frame) -> str:
    """Return the frame's kind of configuration, or its composition where none is given."""
    if frame.kind:
        return frame.kind
    counts = Counter(frame.numbers.tolist())
    return "".join(f"{chemical_symbols[z]}{counts[z]}" for z in sorted(counts))


def survey(frames: Sequence[Frame], settings: TrainingSettings) -> Survey:
    """Look at the frames before a training.

    Args:
        frames: all that were selected.
        settings: limits of what is used.
    """
    kept, exclusions, nearest = [], [], []
    for index, frame in enumerate(frames):
        reason, nearness = _refuse(frame, settings)
        if nearness is not None:
            # Those that are left out for it, too: positions in nm are all too close.
            nearest.append(nearness)
        if reason:
            exclusions.append(Exclusion(index, group_of(frame), reason))
            continue
        kept.append(index)
    used = [frames[index] for index in kept]
    elements = sort_elements({symbol for frame in used for symbol in elements_of(frame.numbers)})
    components = sum(frame.forces.size for frame in used if frame.forces is not None)
    notices = [
        *_about_size(used, elements, settings),
        *_about_labels(used, components),
        *_about_units(nearest),
        *_about_exclusions(len(frames), exclusions),
    ]
    return Survey(
        tuple(kept), tuple(exclusions), elements, sum(map(len, used)), components, tuple(notices)
    )


def require_usable(found: Survey, total: int) -> None:
    """Refuse a set without a single usable frame.

    Raises:
        InvalidInput: with the reasons and how often each came.
    """
    if found.kept:
        return
    if total == 0:
        raise InvalidInput("training data", "no frames", "at least one frame with an energy")
    reasons = Counter(exclusion.reason.split(":")[0] for exclusion in found.exclusions)
    words = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common(4))
    units = [notice.text for notice in found.notices if notice.code == "units"]
    raise InvalidInput(
        "training data",
        f"none of {total} frames can be used ({words})",
        "at least one frame with an energy or forces",
        *(units or ["Choose other data, or widen the limits in the expert settings."]),
    )


def data_hash(frames: Iterable[Frame]) -> str:
    """Return the SHA-256 of what a training sees of the frames, in their order."""
    digest = hashlib.sha256()
    for frame in frames:
        for array in (frame.numbers, frame.positions, frame.cell, frame.forces):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        if frame.stress is not None:
            digest.update(np.ascontiguousarray(frame.stress).tobytes())
        digest.update(repr((frame.pbc, frame.energy, frame.kind)).encode())
    return digest.hexdigest()


def _refuse(frame: Frame, settings: TrainingSettings) -> tuple[str, float | None]:
    """Return (reason or "", shortest distance over the sum of covalent radii)."""
    reason = _refuse_labels(frame, settings)
    if reason:
        return reason, None
    try:
        nearness, names, distance = _nearness(frame)
    except InvalidInput as error:
        return f"structure: {error}", None
    if nearness is not None and nearness < settings.shortest_distance:
        limit = distance * settings.shortest_distance / nearness
        return f"atoms too close: {names} at {distance:.2f} Å, limit {limit:.2f} Å", nearness
    return "", nearness


def _refuse_labels(frame: Frame, settings: TrainingSettings) -> str:
    if len(frame) == 0:
        return "no atoms"
    if frame.energy is None and frame.forces is None:
        return "no energy and no forces"
    numbers = [frame.positions, frame.cell, np.array(frame.energy or 0.0)]
    if frame.forces is not None:
        numbers.append(frame.forces)
    if frame.stress is not None:
        numbers.append(frame.stress)
    if not all(np.isfinite(array).all() for array in numbers):
        return "numbers that are not finite"
    if frame.label_source == "ml" and not settings.use_ml_labels:
        return "labels from another potential, not from a calculation"
    if frame.scf_converged is False and not settings.use_unconverged:
        return "the electronic cycle didn't converge"
    if frame.forces is not None:
        largest = float(np.linalg.norm(frame.forces, axis=1).max())
        if largest > settings.largest_force:
            return f"force too large: {largest:.1f} eV/Å, limit {settings.largest_force:g} eV/Å"
    return ""


def _nearness(frame: Frame) -> tuple[float | None, str, float]:
    radii = covalent_radii[frame.numbers]
    near = neighbor_list(frame.positions, frame.cell, frame.pbc, SEARCH * 2.0 * float(radii.max()))
    if not len(near.neighbors):
        return None, "", 0.0
    centers = np.repeat(np.arange(len(frame)), np.diff(near.first))
    distances = np.linalg.norm(near.vectors, axis=1)
    ratios = distances / (radii[centers] + radii[near.neighbors])
    worst = int(ratios.argmin())
    pair = (frame.numbers[centers[worst]], frame.numbers[near.neighbors[worst]])
    return float(ratios[worst]), "–".join(chemical_symbols[z] for z in pair), distances[worst]


def _about_size(
    used: Sequence[Frame], elements: tuple[str, ...], settings: TrainingSettings
) -> list[Notice]:
    notices = []
    if 0 < len(used) < FEW_FRAMES:
        notices.append(
            Notice(
                "few-frames",
                f"Only {len(used)} frames can be used. A potential for molecular dynamics needs "
                "about 150 to 300 that cover what the simulation will meet.",
            )
        )
    if settings.validation_fraction > 0 and 0 < len(used) < 3:
        notices.append(
            Notice("no-validation", "Too few frames to hold any out: the errors are of training.")
        )
    counts: Counter[str] = Counter()
    appearances: Counter[str] = Counter()
    for frame in used:
        for z, count in zip(*np.unique(frame.numbers, return_counts=True), strict=True):
            counts[chemical_symbols[z]] += int(count)
            appearances[chemical_symbols[z]] += 1
    notices += [
        Notice(
            "few-atoms",
            f"{element} has {counts[element]} atomic environments in all frames together; "
            "its network can't be trusted far from them.",
        )
        for element in elements
        if counts[element] < FEW_ATOMS_OF_ELEMENT
    ]
    notices += [
        Notice(
            "few-frames-of-element",
            f"{element} is in {appearances[element]} of {len(used)} frames only: its network learns "
            "from many atoms, but few surroundings. Compute more frames with it.",
        )
        for element in elements
        if appearances[element] < FEW_FRAMES_OF_ELEMENT <= len(used)
        and counts[element] >= FEW_ATOMS_OF_ELEMENT
    ]
    present = _numbers(used)
    compositions = np.array([[(f.numbers == z).sum() for z in present] for f in used])
    if len(elements) > 1 and np.linalg.matrix_rank(compositions) < len(elements):
        notices.append(
            Notice(
                "one-composition",
                "The compositions don't tell the elements' energies apart. That does no harm at "
                "these compositions; at others, energies won't compare.",
            )
        )
    return notices


def _numbers(used: Sequence[Frame]) -> list[int]:
    return sorted({int(z) for frame in used for z in np.unique(frame.numbers)})


def _about_labels(used: Sequence[Frame], components: int) -> list[Notice]:
    notices = [
        Notice("mixed-theory", f"The frames mix {line}. Their energies don't compare.")
        for line in describe_mixture(frame.calculation for frame in used)
    ]
    if used and components == 0:
        notices.append(
            Notice(
                "no-forces",
                "No frame has forces: forces of the potential will be rough, and many more "
                "frames are needed.",
            )
        )
    return notices


def _about_units(nearest: Sequence[float]) -> list[Notice]:
    if not nearest:
        return []
    typical = float(np.median(nearest))
    if 0.75 < typical < 1.6:
        return []
    guess = "bohr" if typical >= 1.6 else "nm, or fractions of the cell,"
    return [
        Notice(
            "units",
            f"Nearest neighbours are typically {typical:.2f} times the sum of their covalent "
            f"radii apart: the positions may be in {guess} instead of Å.",
        )
    ]


def _about_exclusions(total: int, exclusions: Sequence[Exclusion]) -> list[Notice]:
    if len(exclusions) <= 0.2 * total:
        return []
    return [
        Notice(
            "many-excluded",
            f"{len(exclusions)} of {total} frames are left out; the most frequent reason: "
            f"{Counter(e.reason.split(':')[0] for e in exclusions).most_common(1)[0][0]}.",
        )
    ]
