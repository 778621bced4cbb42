"""Text output of pw.x, 4.0 to 7.5: what remains where the XML wasn't kept.

pw.x prints geometry i + 1 right after the results of geometry i, so results wait until the
next geometry, the next run or the end shows that they are complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlmd.formats.espresso_out_header import OutputHeader
from mlmd.formats.espresso_out_tables import ROWS, table_numbers
from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source
from mlmd.formats.zero_smearing import energy_at_zero_smearing
from mlmd.frame import Calculation, FloatArray, Frame
from mlmd.units import BOHR, RYDBERG

# pw.x writes nothing of interest beyond a few hundred characters.
_LONGEST_LINE = 2000
_LENGTH_UNITS = {"bohr": BOHR, "angstrom": 1.0}


@dataclass
class _Results:
    """What was printed about the current geometry."""

    energy: str = ""
    entropy: str = "0"
    forces: list[list[str]] = field(default_factory=list)
    expects_forces: bool = False
    stress: list[list[str]] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    converged: bool | None = None
    new_basis: bool = False


def read_espresso_out(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every geometry with a final total energy."""
    output = _Output(source, log)
    for line in source.lines():
        output.take(line)
        if output.finished:
            yield from output.drain()
    output.end()
    yield from output.drain()


class _Output:
    """Follows the text line by line."""

    def __init__(self, source: Source, log: IssueLog) -> None:
        self.finished: list[tuple[str, Frame]] = []
        self._source, self._log = source, log
        self._header = OutputHeader()
        self._calculation: Calculation | None = None
        self._results = _Results()
        self._cell: FloatArray | None = None
        self._positions: FloatArray | None = None
        self._labels: list[str] = []
        self._fixed: NDArray[np.bool_] | None = None
        self._rows: list[list[str]] = []
        self._reading = ""
        self._unit = ""
        self._count = 0
        self._had_forces = False
        self._job_done = False
        self._cycle_open = False
        self._final_run = False
        self._exact_exchange = False
        self._grand_canonical = False

    def drain(self) -> list[tuple[str, Frame]]:
        """Return the frames finished since the last call."""
        frames, self.finished = self.finished, []
        return frames

    def take(self, line: str) -> None:
        """Take the next line."""
        if self._reading and self._take_row(line):
            return
        stripped = line.strip()
        if not stripped or len(stripped) > _LONGEST_LINE:
            return
        if self._calculation is None:
            self._header.take(stripped)
        self._take_mark(stripped)

    def end(self) -> None:
        """The file is over: finish what is complete, say what isn't."""
        if self._reading == "forces":
            self._results.expects_forces = True
        self._reading = ""
        cut = not self._job_done and not self._header.is_old
        lacks_forces = self._had_forces and not self._results.forces
        if self._results.energy and cut and lacks_forces:
            self._results = _Results()
            self._cycle_open = True
        self._flush()
        if self._cycle_open and cut:
            self._log.lose(
                f"step {self._count + 1}",
                "the output ends before its results",
                "energy, forces and JOB DONE",
                f"The {self._count} steps before it were kept." if self._count else "",
            )
        elif self._count == 0 and not self._log.issues:
            self._say_why_empty()

    def _say_why_empty(self) -> None:
        if self._header.is_band_structure:
            self._log.refuse(
                "",
                "a non-self-consistent run (band structure)",
                "scf, relax, vc-relax, md or vc-md",
                "It gives no total energy; send the scf run before it.",
            )
        else:
            self._log.lose("", "no final total energy", "a run that reached one", "")

    def _take_mark(self, text: str) -> None:
        if text.startswith("!") and "total energy" in text:
            self._take_energy(text)
        elif text.startswith("smearing contrib"):
            self._results.entropy = _last_number(text)
        elif text.startswith("Forces acting on atoms"):
            self._start("forces")
            self._results.expects_forces = True
        elif "total   stress" in text.lower():
            self._start("stress")
        elif text.startswith("atom:") and "magn:" in text:
            self._results.moments.append(text.split("magn:")[1].split()[0])
        elif text.startswith("Magnetic moment per site"):
            self._results.moments = []
        elif text.startswith("convergence has been achieved"):
            self._results.converged = True
        elif text.startswith("convergence NOT achieved"):
            self._results.converged = False
        elif text.startswith(("CELL_PARAMETERS", "ATOMIC_POSITIONS")):
            self._flush()
            self._unit = text
            self._start("cell" if text.startswith("CELL") else "positions")
        elif text.startswith("crystal axes"):
            self._flush()
            self._start("axes")
        elif text.startswith("site n.") and ("alat units" in text or "a_0 units" in text):
            self._start("sites")
        else:
            self._take_event(text)

    def _take_event(self, text: str) -> None:
        if text.startswith("Self-consistent Calculation"):
            self._cycle_open = True
            self._begin()
        elif text.startswith("A final scf calculation"):
            self._flush()
            self._final_run = True
        elif text.startswith("EXX"):
            self._exact_exchange = True
        elif "Grand-Canonical SCF is activated" in text or text.startswith("FCP"):
            self._grand_canonical = True
        elif text.startswith("JOB DONE"):
            self._job_done = True
        elif text.startswith("Program PWSCF") and self._calculation is not None:
            self._restart(text)

    def _begin(self) -> None:
        if self._calculation is None:
            self._calculation = self._header.calculation(self._source, self._labels)

    def _restart(self, text: str) -> None:
        """Another run follows in the same file."""
        self._flush()
        self._header = OutputHeader()
        self._header.take(text)
        self._calculation = None
        self._cell = self._positions = None
        self._final_run = self._job_done = False
        self._exact_exchange = self._grand_canonical = False

    def _start(self, what: str) -> None:
        self._reading, self._rows = what, []

    def _take_energy(self, text: str) -> None:
        # Exact exchange prints an energy per outer loop; forces come once, after the last.
        if self._results.energy and not self._exact_exchange:
            known = bool(self._results.forces)
            self._flush()
            if not known:
                # Other programs of the suite move the atoms and don't say where to.
                self._log.lose(
                    f"step {self._count + 1}",
                    "a total energy without a geometry of its own",
                    "output of pw.x itself",
                    "It was left out.",
                )
                return
        self._begin()
        converged, moments = self._results.converged, self._results.moments
        self._results = _Results(
            energy=_last_number(text),
            converged=converged,
            moments=moments,
            new_basis=self._final_run,
        )
        self._cycle_open = False

    def _take_row(self, line: str) -> bool:
        """Take a row of the table being read; False once it is over."""
        words = line.split()
        if not words:
            return self._rows == []
        row = ROWS[self._reading](line, words)
        if row is None and self._reading in ("sites", "axes") and not self._rows:
            return True
        if row is not None:
            self._rows.append(row)
        wanted = {"cell": 3, "axes": 3, "stress": 3}.get(self._reading, len(self._labels) or 0)
        complete = row is not None and wanted > 0 and len(self._rows) == wanted
        if row is None or (complete and self._reading != "sites"):
            self._finish_table()
            return row is not None
        return True

    def _finish_table(self) -> None:
        reading, rows, self._reading = self._reading, self._rows, ""
        try:
            match reading:
                case "forces":
                    self._results.forces = rows
                case "stress":
                    self._results.stress = rows
                case "axes":
                    self._cell = table_numbers(rows) * self._header.alat
                case "sites":
                    self._labels = [row[0] for row in rows]
                    self._positions = table_numbers([r[1:] for r in rows]) * self._header.alat
                    self._fixed = None
                case "cell":
                    self._cell = table_numbers(rows) * self._scale()
                case "positions":
                    self._finish_positions(rows)
        except ValueError as error:
            self._log.lose(f"step {self._count + 1}", str(error), "numbers", "")
            self._positions = None

    def _finish_positions(self, rows: list[list[str]]) -> None:
        values = table_numbers([row[1:4] for row in rows])
        if "crystal" in self._unit:
            self._positions = None if self._cell is None else values @ self._cell
        else:
            self._positions = values * self._scale()
        self._labels = [row[0] for row in rows]
        marks = np.array([(row[4:7] + ["1"] * 3)[:3] for row in rows])
        self._fixed = marks == "0" if (marks == "0").any() else None

    def _scale(self) -> float:
        """Å per unit of the card being read."""
        unit = self._unit.lower()
        for name, factor in _LENGTH_UNITS.items():
            if name in unit:
                return factor
        if "alat=" in unit.replace(" ", ""):
            return float(unit.split("=")[1].strip(" )}")) * BOHR
        return self._header.alat

    def _flush(self) -> None:
        """Turn complete results into a frame of the geometry they belong to."""
        results, self._results = self._results, _Results()
        if not results.energy or self._calculation is None:
            return
        place = f"step {self._count + 1}"
        self._count += 1
        try:
            frame = self._frame(results)
        except ValueError as error:
            self._log.lose(place, str(error), "complete results", "The step was left out.")
            return
        if frame.forces is None:
            self._log.note(place, "no forces", action="Only the energy is used.")
        if results.new_basis:
            self._log.note(
                place,
                "computed with the plane waves of the final cell",
                action="Its energy differs by some meV from the steps before; flagged new-basis.",
            )
        self._had_forces |= frame.forces is not None
        self.finished.append((place, frame))

    def _flags(self, results: _Results) -> tuple[str, ...]:
        present = (
            (results.new_basis, "new-basis"),
            (self._grand_canonical, "grand-canonical"),
        )
        return tuple(flag for holds, flag in present if holds)

    def _frame(self, results: _Results) -> Frame:
        if self._positions is None or self._cell is None or self._calculation is None:
            raise ValueError("no geometry")
        atoms = len(self._labels)
        numbers = self._header.atomic_numbers(self._labels)
        if results.expects_forces and len(results.forces) != atoms:
            raise ValueError(f"{len(results.forces)} force rows for {atoms} atoms")
        forces = table_numbers(results.forces) * (RYDBERG / BOHR) if results.forces else None
        stress = None
        if len(results.stress) == 3:
            # pw.x prints positive numbers for a compressed cell.
            stress = -table_numbers(results.stress) * (RYDBERG / BOHR**3)
        energy = float(results.energy) * RYDBERG
        entropy = float(results.entropy) * RYDBERG
        moments = None
        if len(results.moments) == atoms:
            moments = np.array([float(m) for m in results.moments])
        return Frame(
            numbers=numbers,
            positions=self._positions,
            cell=self._cell,
            energy=energy,
            energy_sigma0=energy_at_zero_smearing(energy, entropy, self._calculation.smearing),
            forces=forces,
            stress=stress,
            magnetic_moments=moments,
            fixed=self._fixed,
            ionic_step=self._count - 1,
            label_source="ab initio",
            scf_converged=results.converged,
            flags=self._flags(results),
            calculation=self._calculation,
        )


def _last_number(text: str) -> str:
    """The number behind the equals sign of ``name = number Ry``."""
    words = text.rsplit("=", 1)[-1].split()
    return words[0] if words else ""
