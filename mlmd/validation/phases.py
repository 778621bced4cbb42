"""Other crystals of the same composition: does the potential put them in the teacher's order?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.crystals import (
    Crystal,
    FrameCells,
    atoms_of,
    energy_per_atom,
    is_bulk,
    largest_force,
    one_theory,
)
from mlmd.validation.lattice import FRAME, POTENTIAL, TEACHER
from mlmd.validation.report import Plot, Value, line, points
from mlmd.validation.subject import Findings, RelaxedCrystal, Skipped, Subject
from mlmd.validation.symmetry import StandardCell, same_crystal, standard_cell

ABOVE = "Energy above the ground state"
_RELAXED_FORCE, _RELAXED_STRESS = 0.05, 1.0  # eV/Å, GPa
_STRAINED_FORCE = 1.0  # eV/Å: of a crystal whose cell alone was scaled
_LEAST_VOLUMES = 3
_MONOCLINIC = 15  # last of these space groups: any strain makes one of them
_STRAINS = (0.1, 0.2, 0.3, 0.4)  # Å
_POINTS, _MARGIN = 15, 0.03
_MOST_PHASES = 12


@dataclass
class Phase:
    """One crystal structure with all its frames.

    Args:
        cell: of the frame of lowest energy.
        frames: at several volumes, or one that is relaxed.
    """

    cell: StandardCell
    frames: list[Frame] = field(default_factory=list)

    @property
    def best(self) -> Frame:
        """The frame of lowest energy."""
        return min(self.frames, key=energy_per_atom)


def check_phases(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Compare energies of the teacher's other crystals with the most stable one.

    Values are for the teacher's own cells, without relaxation; curves scale all lengths alike.
    """
    ground = crystal.crystal
    phases = find_phases(subject.frames, ground, subject.cells)
    if not phases or ground.teacher is None:
        raise Skipped("the teacher data hold no other crystal of this composition.")
    theirs = float(ground.teacher.energies.min())
    mine = min(_scaled_energy(subject, ground.cell.primitive, v) for v in ground.teacher.volumes)
    values, plots, notes = [], [], []
    for phase in phases[:_MOST_PHASES]:
        subject.pause()
        best = phase.best
        own = subject.energy(atoms_of(best)) / len(best) - mine
        reference = energy_per_atom(best) - theirs
        name = _name(phase, phases)
        values.append(Value(ABOVE, 1000 * own, "meV/atom", 1000 * reference, FRAME, name))
        plots.append(_plot(subject, phase, name, mine, theirs))
        if own < 0:
            notes.append(
                f"{name}: the potential puts it below {crystal.name}, by {-1000 * own:.1f} meV/atom, "
                "unlike the teacher: do not use it where both may appear."
            )
    if len(phases) > _MOST_PHASES:
        notes.append(f"{crystal.name}: {len(phases) - _MOST_PHASES} further crystals left out.")
    return Findings(tuple(values), tuple(plots), notes=tuple(notes))


def find_phases(
    frames: Sequence[Frame], ground: Crystal, cells: FrameCells | None = None
) -> list[Phase]:
    """Return the teacher's other crystals of a composition, lowest energy first.

    A structure counts with one relaxed frame, or with at least three volumes: a strained crystal
    has another symmetry too, but is no other phase.
    """
    cells = cells or FrameCells()
    phases: list[Phase] = []
    for frame in sorted(one_theory(frames), key=energy_per_atom) if frames else []:
        cell = _crystal_of(frame, cells)
        if cell is None or cell.formula != ground.cell.formula:
            continue
        if len(cell.primitive) > max(24, len(ground.cell.primitive)):
            continue
        if same_crystal(cell, ground.cell) or _is_strained(frame, ground):
            continue
        known = next((phase for phase in phases if same_crystal(phase.cell, cell)), None)
        if known is None:
            known = Phase(cell)
            phases.append(known)
        known.frames.append(frame)
    return [phase for phase in phases if _counts(phase)]


def _crystal_of(frame: Frame, cells: FrameCells) -> StandardCell | None:
    if not is_bulk(frame):
        return None
    if frame.forces is not None and largest_force(frame) > _STRAINED_FORCE:
        return None
    cell = cells.of(frame)
    return cell if cell is not None and cell.number > 1 else None


def _is_strained(frame: Frame, ground: Crystal) -> bool:
    """Return whether a frame is the ground state, but for a small strain or displacements."""
    for precision in _STRAINS:
        try:
            cell = standard_cell(atoms_of(frame), precision)
        except InvalidInput:
            return False  # so loosely, two atoms are one
        if cell.number == ground.cell.number and len(cell.primitive) == len(ground.cell.primitive):
            return True
    return False


def _counts(phase: Phase) -> bool:
    volumes = {round(50 * float(np.log(_volume(frame)))) for frame in phase.frames}
    if len(volumes) >= _LEAST_VOLUMES and phase.cell.number > _MONOCLINIC:
        return True
    best = phase.best
    if best.stress is None or largest_force(best) > _RELAXED_FORCE:
        return False
    return float(np.abs(best.stress).max()) * EV_PER_A3_IN_GPA < _RELAXED_STRESS


def _plot(subject: Subject, phase: Phase, name: str, mine: float, theirs: float) -> Plot:
    known = np.array(sorted(_volume(frame) for frame in phase.frames))
    reach = np.linspace(known[0] * (1 - _MARGIN), known[-1] * (1 + _MARGIN), _POINTS)
    curve = [_scaled_energy(subject, phase.cell.primitive, v) - mine for v in reach]
    return Plot(
        "phase-energy-volume", ABOVE, "volume (Å³/atom)", "energy (eV/atom)",
        (
            line(POTENTIAL, reach, curve),
            points(
                TEACHER,
                [_volume(frame) for frame in phase.frames],
                [energy_per_atom(frame) - theirs for frame in phase.frames],
            ),
        ),
        subject=name,
    )  # fmt: skip


def _scaled_energy(subject: Subject, cell: Atoms, volume: float) -> float:
    atoms: Atoms = cell.copy()
    factor = (volume * len(atoms) / atoms.get_volume()) ** (1 / 3)
    atoms.set_cell(atoms.cell * factor, scale_atoms=True)
    return subject.energy(atoms) / len(atoms)


def _name(phase: Phase, phases: list[Phase]) -> str:
    """Return formula and space group, and a number where two phases share those."""
    alike = [other for other in phases if other.cell.name == phase.cell.name]
    if len(alike) == 1:
        return phase.cell.name
    return f"{phase.cell.name}, {alike.index(phase) + 1}"


def _volume(frame: Frame) -> float:
    return abs(float(np.linalg.det(frame.cell))) / len(frame)
