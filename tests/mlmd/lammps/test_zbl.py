"""Our repulsion of nuclei against LAMMPS' own ``pair_style zbl``."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from mlmd.frame import Frame
from mlmd.hdnnp.repulsion import Repulsion, automatic_repulsion
from mlmd.hdnnp.training.short_range import ShortRange
from mlmd.lammps.pair_styles import PairStyle, with_repulsion

# A style that adds nothing, to lay it over.
NOTHING = PairStyle("pair_style zero 6.0", lambda types: ("pair_coeff * *",), ("O", "Si"))


@pytest.mark.parametrize("symbols", [("Si", "Si"), ("O", "Si"), ("H", "Cu")])
def test_energies_and_forces_are_those_of_lammps(symbols, lammps_module):
    repulsion = automatic_repulsion(sorted(set(symbols)))
    inner, outer = repulsion.between(*symbols)
    for r in (0.3 * inner, 0.9 * inner, 1.1 * inner, 0.5 * (inner + outer), 0.98 * outer):
        frame = _dimer(symbols, r)
        ours = ShortRange.of(frame, repulsion)
        energy, forces = _with_lammps(lammps_module, frame, symbols, repulsion)
        # LAMMPS has e²/(4πε₀) to 8 digits.
        assert ours.energy == pytest.approx(energy, rel=2e-7, abs=1e-9)
        np.testing.assert_allclose(ours.forces, forces, rtol=2e-7, atol=1e-8)


def test_every_pair_has_its_own_radii(lammps_module):
    rng = np.random.default_rng(4)
    symbols = np.array(["O", "Si"])[rng.integers(0, 2, 12)]
    atoms = Atoms(symbols, rng.random((12, 3)) * 5.0, cell=[12, 12, 12], pbc=True)
    frame = Frame(atoms.numbers.astype(np.uint8), atoms.positions, atoms.cell.array)
    repulsion = Repulsion(
        {("O", "O"): (0.5, 1.6), ("O", "Si"): (0.6, 2.4), ("Si", "Si"): (0.8, 2.4)}
    )
    ours = ShortRange.of(frame, repulsion)
    energy, forces = _with_lammps(lammps_module, frame, ("O", "Si"), repulsion)
    assert ours.energy > 1.0
    assert ours.energy == pytest.approx(energy, rel=2e-7)
    np.testing.assert_allclose(ours.forces, forces, rtol=1e-6, atol=1e-6 * np.abs(forces).max())


def _dimer(symbols: tuple[str, str], r: float) -> Frame:
    atoms = Atoms(symbols, [[1.0, 1.0, 1.0], [1.0 + 0.6 * r, 1.0 + 0.8 * r, 1.0]])
    return Frame(atoms.numbers.astype(np.uint8), atoms.positions, np.diag([12.0] * 3))


def _with_lammps(lammps_module, frame, types, repulsion):
    """Return the energy (eV) and forces (eV/Å) that LAMMPS finds with the lines of a deck."""
    types = tuple(dict.fromkeys(types))
    kinds = [types.index(symbol) + 1 for symbol in Atoms(frame.numbers).symbols]
    lmp = lammps_module.lammps(cmdargs=["-log", "none", "-screen", "none"])
    try:
        lmp.commands_string(
            "\n".join(
                [
                    "units metal", "atom_style atomic", "atom_modify map array", "boundary p p p",
                    "region box block 0 12 0 12 0 12", f"create_box {len(types)} box", "mass * 1.0",
                ]
            )
        )  # fmt: skip
        lmp.create_atoms(
            len(frame), list(range(1, len(frame) + 1)), kinds, frame.positions.ravel().tolist()
        )
        for line in with_repulsion(NOTHING, repulsion).lines(types):
            lmp.command(line)
        lmp.command("run 0")
        forces = np.array(lmp.gather_atoms("f", 1, 3)).reshape(-1, 3)
        return lmp.get_thermo("pe"), forces
    finally:
        lmp.close()
