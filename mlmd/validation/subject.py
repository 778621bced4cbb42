"""The potential under test, the data it is held against, and what checks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.hdnnp.devices import Device
from mlmd.hdnnp.potential import Potential
from mlmd.loading import AnyPotential, load, read_potential
from mlmd.runs import StopRequest
from mlmd.validation.comparison import Comparison, compare
from mlmd.validation.crystals import Crystal, Found, FrameCells, find_crystals
from mlmd.validation.relaxation import Relaxed, relax_cell, relax_positions
from mlmd.validation.report import Plot, Table, Value
from mlmd.validation.settings import ValidationSettings
from mlmd.validation.symmetry import TIGHT, StandardCell, standard_cell


class Skipped(Exception):
    """A check doesn't apply; the text says why, as a sentence."""


@dataclass(frozen=True)
class Findings:
    """What a check found; parts as in a report, and why it failed where it found that out."""

    values: tuple[Value, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class RelaxedCrystal:
    """A crystal as the potential has it.

    Args:
        crystal: as the data have it.
        cell: relaxed, in its standard cells.
        energy: eV/atom.
        converged: whether the relaxation came to an end.
    """

    crystal: Crystal
    cell: StandardCell
    energy: float
    converged: bool

    @property
    def name(self) -> str:
        """How values and plots call it."""
        return self.crystal.name

    @property
    def volume(self) -> float:
        """Å³/atom."""
        return float(self.cell.primitive.get_volume()) / len(self.cell.primitive)


@dataclass
class Subject:
    """A potential with what a validation needs besides.

    Args:
        calculator: of the potential; any ASE calculator will do.
        elements: that it knows.
        cutoff: its range, Å.
        settings: what to check, and how.
        frames: teacher data; may be none.
        cores: that the calculator uses.
        stop: looked at between steps.
        function_name: says which function an element's number is.
        cells: standard cells of the frames.
    """

    calculator: Any
    elements: tuple[str, ...]
    cutoff: float
    settings: ValidationSettings = field(default_factory=ValidationSettings)
    frames: Sequence[Frame] = ()
    cores: int = 1
    stop: StopRequest | None = None
    function_name: Callable[[str, int], str] = lambda element, number: f"function {number + 1}"
    cells: FrameCells = field(default_factory=FrameCells, repr=False)
    _relaxed: dict[str, RelaxedCrystal | InvalidInput] = field(default_factory=dict, repr=False)

    @cached_property
    def found(self) -> Found:
        """The crystals to look at."""
        return find_crystals(
            self.frames,
            self.elements,
            self.settings.largest_cell,
            self.settings.materials,
            self._settle,
            self.cells,
        )

    @cached_property
    def comparison(self) -> Comparison:
        """All frames computed with the potential."""
        return compare(self.calculator, self.frames, self.pause)

    @property
    def gives_stress(self) -> bool:
        """Whether the potential gives stress."""
        return "stress" in self.calculator.implemented_properties

    def pause(self) -> None:
        """Raise if the run was asked to stop.

        Raises:
            Stopped: with the reason.
        """
        if self.stop is not None and self.stop.requested:
            raise self.stop.stop("The checks that were finished are kept.")

    def relaxed(self, crystal: Crystal) -> RelaxedCrystal:
        """Return a crystal as the potential has it; computed once.

        Raises:
            InvalidInput: it doesn't hold together.
        """
        if crystal.name not in self._relaxed:
            try:
                self._relaxed[crystal.name] = self._relax(crystal)
            except InvalidInput as error:
                self._relaxed[crystal.name] = error
        kept = self._relaxed[crystal.name]
        if isinstance(kept, InvalidInput):
            raise kept
        return kept

    def energy(self, atoms: Atoms) -> float:
        """Return the energy of atoms, eV, which are left without a calculator."""
        copy = atoms.copy()
        copy.calc = self.calculator
        return float(copy.get_potential_energy())

    def _relax(self, crystal: Crystal) -> RelaxedCrystal:
        if not self.gives_stress:
            raise InvalidInput("calculator", "no stress", "a potential that gives stress")
        result = relax_cell(crystal.cell.primitive, self.calculator, self.pause)
        bare = result.atoms.copy()
        return RelaxedCrystal(
            crystal, standard_cell(bare, TIGHT), result.energy / len(bare), result.converged
        )

    def _settle(self, atoms: Atoms) -> Atoms:
        result: Relaxed = relax_positions(atoms, self.calculator, pause=self.pause)
        bare: Atoms = result.atoms.copy()
        return bare


def subject_of(
    folder: Path | str,
    settings: ValidationSettings,
    frames: Sequence[Frame] = (),
    cores: int = 1,
    stop: StopRequest | None = None,
) -> Subject:
    """Return the subject for a potential's folder, of any family.

    Raises:
        InvalidInput: the folder holds no potential, or a damaged one.
    """
    potential = read_potential(folder)
    # Slopes of forces need more digits than a GPU's kernels have.
    calculator = load(folder, cores, Device.CPU)
    return Subject(
        calculator,
        tuple(potential.elements),
        float(potential.cutoff_radius),
        settings,
        frames,
        cores,
        stop,
        _names(potential),
    )


def over_crystals(
    subject: Subject, look: Callable[[Subject, RelaxedCrystal], Findings]
) -> Findings:
    """Do a check on each crystal and join what was found.

    A crystal that fails leaves a note; only where all fail the check does.

    Raises:
        Skipped: there are no crystals, or the check applies to none.
        InvalidInput: it failed on all.
    """
    parts: list[Findings] = []
    skips: list[str] = []
    failures: list[str] = []
    for crystal in subject.found.crystals:
        subject.pause()
        try:
            parts.append(look(subject, subject.relaxed(crystal)))
        except Skipped as reason:
            skips.append(f"{crystal.name}: {reason}")
        except InvalidInput as error:
            failures.append(f"{crystal.name}: {error.found}.")
    if not subject.found.crystals:
        raise Skipped(" ".join(subject.found.remarks) or "No crystals were found.")
    if not parts and failures:
        raise InvalidInput("crystals", " ".join(failures).rstrip("."), "one that holds together")
    if not parts:
        raise Skipped(" ".join(skips))
    return join(parts, notes=(*failures, *skips))


def join(parts: Sequence[Findings], notes: Sequence[str] = ()) -> Findings:
    """Return findings one after the other."""
    return Findings(
        tuple(value for part in parts for value in part.values),
        tuple(plot for part in parts for plot in part.plots),
        tuple(table for part in parts for table in part.tables),
        tuple(dict.fromkeys([*(note for part in parts for note in part.notes), *notes])),
        " ".join(part.failure for part in parts if part.failure),
    )


def _names(potential: AnyPotential) -> Callable[[str, int], str]:
    """Return how functions are called: for n2p2's kind by what they measure."""
    if not isinstance(potential, Potential):
        return lambda element, number: f"function {number + 1}"

    def name(element: str, number: int) -> str:
        function = potential.functions[element][number]
        around = " ".join(function.neighbors)
        numbers = f"η {function.eta:.4g}"
        if function.rs:
            numbers += f", rs {function.rs:.4g}"
        if function.zeta:
            numbers += f", λ {function.lam:g}, ζ {function.zeta:g}"
        return f"{number + 1}: type {function.kind} {around} ({numbers})"

    return name
