"""From a step as VASP writes it to a frame: which energy, which sign, which caveats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source
from mlmd.formats.vasprun_settings import (
    Header,
    calculation_of,
    element_numbers,
    has_linear_response,
    refusal,
)
from mlmd.frame import Calculation, FloatArray, Frame
from mlmd.units import KBAR

if TYPE_CHECKING:
    from mlmd.formats.vasprun import Step

# VASP up to 6.0.8 writes E0 under e_wo_entrp, and −TS under e_0_energy, in a step's own block.
_LABELS_RIGHT_FROM = (6, 1)


class LabelMaker:
    """Makes frames of steps; knows what the file's header implies for them."""

    def __init__(self, header: Header, source: Source, log: IssueLog) -> None:
        self.kept = 0
        self.refused = False
        self._header = header
        self._source = source
        self._log = log
        self._index = 0
        self._machine_learned = 0
        self._numbers: NDArray[np.uint8] | None = None
        self._calculation = Calculation()
        self._pressure = 0.0
        self._flags: tuple[str, ...] = ()

    def frames(self, step: Step, fixed: NDArray[np.bool_] | None) -> Iterator[tuple[str, Frame]]:
        """Yield the step's (place, frame), or nothing, with the reason in the log."""
        if self._numbers is None and not self.refused:
            self._read_header()
        if self.refused:
            return
        place = f"ionic step {self._index + 1}"
        self._index += 1
        frame = self._frame(step, fixed, place)
        if frame is not None:
            self.kept += 1
            self._machine_learned += step.machine_learned
            yield place, frame

    def conclude(self, unfinished: Step | None) -> None:
        """Say what the whole file was, once it has been read."""
        if self.refused:
            return
        if unfinished is not None:
            self._log.lose(
                f"ionic step {self._index + 1} (line {unfinished.line})",
                "the step isn't complete",
                "structure, forces and energy",
                f"The {self.kept} steps before it were kept." if self.kept else "",
            )
        elif self._index == 0 and self._numbers is None:
            self._read_header()
            if not self.refused:
                self._log.lose("", "no ionic step", "at least one <calculation>", "")
        if self._machine_learned:
            self._log.note(
                "",
                f"{self._machine_learned} of {self.kept} steps come from VASP's machine-learned "
                "force field",
                action="Their label source is “ml”; leave them out of training on first principles.",
            )

    def _read_header(self) -> None:
        header, log = self._header, self._log
        reason = refusal(header)
        if reason:
            log.refuse(
                "",
                reason,
                "a self-consistent ground-state run",
                "Its energies and forces are no labels; send the run before it.",
            )
            self.refused = True
            return
        numbers = element_numbers(header)
        if isinstance(numbers, str):
            log.refuse("atominfo", f"unknown element “{numbers}”", "a chemical symbol", "")
            self.refused = True
            return
        self._numbers = np.array(numbers, dtype=np.uint8)
        self._calculation = calculation_of(header, self._source.name, self._source.sha256)
        self._pressure = (header.number("PSTRESS") or 0.0) * KBAR
        flags = []
        if self._pressure:
            flags.append("enthalpy-corrected")
            log.note(
                "",
                f"PSTRESS = {header.text('PSTRESS')} kB: VASP's energies are enthalpies",
                action="The pressure-volume term was subtracted.",
            )
        if (header.integer("IMAGES") or 0) > 0:
            flags.append("nudged-elastic-band")
            log.warn(
                "", "a nudged-elastic-band run", "", "Its forces may hold those of the springs."
            )
        self._flags = tuple(flags)

    def _frame(self, step: Step, fixed: NDArray[np.bool_] | None, place: str) -> Frame | None:
        numbers, log = self._numbers, self._log
        problem = self._problem(step)
        if problem is not None or numbers is None:
            found, expected = problem or ("no atoms", "atominfo")
            log.lose(place, found, expected, "The step was left out.")
            return None
        free, sigma0 = self._energies(step)
        if free is None:
            log.lose(place, "the energy is not a number", "a number", "The step was left out.")
            return None
        cell = step.blocks["basis"]
        volume = abs(float(np.linalg.det(cell)))
        shift = self._pressure * volume if not step.machine_learned else 0.0
        forces = step.blocks.get("forces")
        if forces is None:
            log.note(place, "no forces", action="Only the energy is used.")
        return Frame(
            numbers=numbers,
            positions=step.blocks["positions"] @ cell,
            cell=cell,
            energy=free - shift,
            energy_sigma0=None if sigma0 is None else sigma0 - shift,
            forces=forces,
            stress=self._stress(step, place),
            fixed=fixed if fixed is not None and len(fixed) == len(numbers) else None,
            ionic_step=self._index - 1,
            label_source="ml" if step.machine_learned else "ab initio",
            scf_converged=None if step.machine_learned else self._converged(step, place),
            flags=self._flags,
            calculation=self._calculation,
        )

    def _problem(self, step: Step) -> tuple[str, str] | None:
        atoms = 0 if self._numbers is None else len(self._numbers)
        if not atoms:
            return "no list of atoms (atominfo)", "atominfo before the first step"
        for name in ("basis", "positions", "forces"):
            if name in step.damaged:
                return f"{name}: {step.damaged[name]}", "numbers"
        for name in ("basis", "positions"):
            if name not in step.blocks:
                return "no structure", "cell and positions in every step"
        if not step.has_energy:
            return "no energy", "the step's energy block"
        for name, rows in (("basis", 3), ("positions", atoms), ("forces", atoms)):
            block = step.blocks.get(name)
            if block is not None and len(block) != rows:
                return f"{len(block)} rows of {name}", f"{rows}"
        return None

    def _energies(self, step: Step) -> tuple[float | None, float | None]:
        """Return F and E0 of a step."""
        values = {name: _number(text) for name, text in step.energies.items()}
        free, without, zero = (values.get(n) for n in ("e_fr_energy", "e_wo_entrp", "e_0_energy"))
        if free is None or without is None or zero is None:
            return free, zero
        version = self._header.version[:2]
        if version:
            mislabelled = version < _LABELS_RIGHT_FROM
        else:
            # E0 lies between F and E; −TS is far from both.
            mislabelled = abs(zero - free) > abs(without - free) + 1e-6
        return free, without if mislabelled else zero

    def _stress(self, step: Step, place: str) -> FloatArray | None:
        if "stress" in step.damaged:
            self._log.warn(
                place, f"stress: {step.damaged['stress']}", "numbers", "It was left out."
            )
            return None
        stress = step.blocks.get("stress")
        if stress is None or stress.shape != (3, 3):
            return None
        # VASP prints kB, positive in compression.
        return -stress * KBAR

    def _converged(self, step: Step, place: str) -> bool | None:
        header = self._header
        limit = header.integer("NELM")
        count = len(step.electronic)
        if limit is None or count == 0:
            return None
        if count < limit:
            return True
        if has_linear_response(header) or count == 1:
            return None
        change = abs(step.electronic[-1] - step.electronic[-2])
        threshold = header.number("EDIFF")
        if threshold is not None and change < threshold:
            return True
        self._log.warn(
            place,
            f"the electronic cycle stopped after {count} steps, {change:.1e} eV from its last",
            f"a change below {threshold:g} eV" if threshold else "convergence",
            "The frame was kept and marked as not converged.",
        )
        return False


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
