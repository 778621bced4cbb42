"""Our engine inside LAMMPS, through ``fix external`` of its Python module: nothing to compile.

Every integrator, compute and dump of LAMMPS then works with our potentials.
Manual: https://docs.lammps.org/fix_external.html, https://docs.lammps.org/Python_module.html
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.md.forces import ForceProvider

FloatArray = NDArray[np.float64]
FIX = "mlmd"


class LammpsEngine:
    r"""Gives a LAMMPS instance energies, forces and stress of a potential.

    Create it after the atoms exist and before ``run``; keep it as long as LAMMPS runs::

        lmp = lammps.lammps()
        lmp.file("in.before")              # units metal, read_data …; no pair_style
        engine = LammpsEngine(lmp, provider, ("Si",))
        lmp.commands_string("fix 1 all nve\nrun 1000")

    Args:
        lammps: of the Python module ``lammps``, one process, units metal.
        provider: gives energies, forces and stress; `mlmd.md.forces.PotentialForces` of a
            potential, or anything like it.
        elements: symbol of each atom type.

    Raises:
        InvalidInput: several processes, other units than metal, or types without an element.
    """

    def __init__(self, lammps: Any, provider: ForceProvider, elements: tuple[str, ...]) -> None:
        _check(lammps, elements)
        self.provider = provider
        self._lammps = lammps
        self._numbers = np.array([0, *(atomic_numbers[symbol] for symbol in elements)])
        self._last: FloatArray | None = None
        self._tags: NDArray[Any] = np.empty(0, dtype=np.int64)
        # LAMMPS refuses to run without a pair style; this one computes nothing.
        lammps.commands_string(
            "pair_style zero 1.0 nocoeff\npair_coeff * *\n"
            f"fix {FIX} all external pf/callback 1 1\nfix_modify {FIX} energy yes virial yes"
        )
        lammps.set_fix_external_callback(FIX, self._answer)

    def _answer(
        self, _: Any, step: int, count: int, tags: NDArray[Any], x: FloatArray, f: FloatArray
    ) -> None:
        """Fill the forces of LAMMPS' own atoms (N, 3), and tell energy and virial."""
        cell, periodic, origin = self._box()
        # By id: LAMMPS sorts its atoms now and then, and the neighbour list must not notice.
        order = np.argsort(tags[:count], kind="stable")
        numbers = self._numbers[self._types(count)[order]]
        positions = self._unwrapped(tags[:count][order], x[:count][order] - origin, cell, periodic)
        answer = self.provider.compute(numbers, positions, cell, periodic)
        f[order] = answer.forces
        self._lammps.fix_external_set_energy_global(FIX, float(answer.energy))
        if all(periodic):
            virial = -np.asarray(answer.stress) * abs(np.linalg.det(cell))
            xx, yy, zz = np.diag(virial)
            self._lammps.fix_external_set_virial_global(
                FIX, [xx, yy, zz, virial[0, 1], virial[0, 2], virial[1, 2]]
            )

    def _types(self, count: int) -> NDArray[Any]:
        return np.asarray(self._lammps.numpy.extract_atom("type"))[:count]

    def _box(self) -> tuple[FloatArray, tuple[bool, bool, bool], FloatArray]:
        low, high, xy, yz, xz, periodic, _ = self._lammps.extract_box()
        cell = np.diag(np.array(high) - np.array(low))
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        return cell, (bool(periodic[0]), bool(periodic[1]), bool(periodic[2])), np.array(low)

    def _unwrapped(
        self,
        tags: NDArray[Any],
        positions: FloatArray,
        cell: FloatArray,
        periodic: tuple[bool, bool, bool],
    ) -> FloatArray:
        """Undo LAMMPS' wrapping, which would look like far jumps to the neighbour list."""
        if self._last is not None and np.array_equal(tags, self._tags):
            moved = (positions - self._last) @ np.linalg.inv(cell)
            positions = positions - (np.rint(moved) * periodic) @ cell
        self._last, self._tags = positions, tags.copy()
        return positions


def _check(lammps: Any, elements: tuple[str, ...]) -> None:
    processes = lammps.extract_setting("world_size")
    if processes != 1:
        raise InvalidInput(
            "LAMMPS",
            f"{processes} processes",
            "one: the engine shares the work among threads",
            "Start Python without mpiexec and give the engine threads.",
        )
    units = lammps.extract_global("units")
    if units != "metal":
        raise InvalidInput("LAMMPS", f"units {units}", "units metal")
    types = lammps.extract_global("ntypes")
    if types != len(elements):
        raise InvalidInput(
            "LAMMPS", f"{types} atom types and {len(elements)} elements", "an element for each type"
        )
