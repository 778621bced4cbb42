"""Agreement with n2p2's and LAMMPS' own numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_numbers

from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.units import BOHR, HARTREE

SYSTEMS = (
    "LJ",
    "H2O_RPBE-D3",
    "Cu2S_PBE",
    "synthetic_ct0_none_l",
    "synthetic_ct1",
    "synthetic_ct1_a03",
    "synthetic_ct2",
    "synthetic_ct3",
    "synthetic_ct4",
    "synthetic_ct5",
    "synthetic_ct6",
    "synthetic_ct7_a05",
    "synthetic_ct8",
    "synthetic_offs",
    "synthetic_comp_mol",
    "synthetic_mix",
    "DMABN",
    "Anisole",
    "Ethylbenzene",
)
# The numbers of these are bare: evaluated as Å and eV they come out as they went in.
ANGSTROM = ("angstrom", "ev")


def read_structures(path: Path):
    """Yield (numbers, positions, cell, pbc) of an input.data."""
    for block in path.read_text().split("begin")[1:]:
        rows = [line.split() for line in block.splitlines() if line.split()]
        cell = [[float(x) for x in row[1:4]] for row in rows if row[0] == "lattice"]
        atoms = [row for row in rows if row[0] == "atom"]
        yield (
            np.array([atomic_numbers[row[4]] for row in atoms]),
            np.array([[float(x) for x in row[1:4]] for row in atoms]),
            np.array(cell) if cell else np.zeros((3, 3)),
            bool(cell),
        )


@pytest.mark.parametrize("system", SYSTEMS)
def test_functions_energies_and_forces_are_those_of_n2p2(shared_reference, system):
    folder = shared_reference / "n2p2" / system
    reference = np.load(folder / "reference.npz")
    potential = load_potential(folder, *ANGSTROM)
    evaluator = Evaluator(potential, threads=1)
    count = 0
    for k, structure in enumerate(read_structures(folder / "input.data")):
        found = evaluator.compute(*structure)
        assert found.energy == pytest.approx(float(reference[f"s{k}_energy"]), rel=1e-10)
        forces = reference[f"s{k}_forces"]
        assert np.abs(found.forces - forces).max() <= 1e-9 * np.abs(forces).max()
        normal = potential.normalisation
        bare = found.atomic_energies - normal.mean_energy
        bare -= [potential.atom_energies.get(str(e), 0.0) for e in reference[f"s{k}_elements"]]
        # nnp-predict prints its atomic energies in the data's units, without offsets.
        np.testing.assert_allclose(
            bare, reference[f"s{k}_atomic_energy"], rtol=1e-8, atol=1e-10 * abs(found.energy)
        )
        values = evaluator.symmetry_functions(*structure)
        for element in potential.elements:
            if f"s{k}_{element}_raw" not in reference.files:
                continue
            raw = reference[f"s{k}_{element}_raw"]
            mine = values[reference[f"s{k}_{element}_atoms"]][:, : raw.shape[1]]
            error = np.abs(mine - raw).max(axis=0)
            # n2p2 takes the end of a polynomial window as a difference of numbers up to 15.
            theirs = [5e-15 if f.shape else 0.0 for f in potential.functions[element]]
            assert (error <= 1e-10 * np.abs(raw).max(axis=0) + theirs).all()
        count += 1
    assert count == sum(
        name.endswith("_energy") and name.count("_") == 1 for name in reference.files
    )


def test_a_straight_line_of_images_counts_where_n2p2_loses_it(shared_reference):
    # An atom between two of its own images sees them at 180°. n2p2 takes the angle from a cosine
    # that may round to less than −1, and loses the pair; the energy would jump with the last bit.
    folder = shared_reference / "n2p2" / "synthetic_comp_cell"
    reference = np.load(folder / "reference.npz")
    potential = load_potential(folder, *ANGSTROM)
    evaluator = Evaluator(potential, threads=1)
    for k, structure in enumerate(read_structures(folder / "input.data")):
        values = evaluator.symmetry_functions(*structure)
        for element in potential.elements:
            raw = reference[f"s{k}_{element}_raw"]
            mine = values[reference[f"s{k}_{element}_atoms"]][:, : raw.shape[1]]
            for column, function in enumerate(potential.functions[element]):
                lost = 0.0
                if (function.kind, element) == (25, "Cu"):
                    lost = _weight_of_straight_pairs(structure[2], function.cutoff, 29)
                difference = (mine - raw)[:, column]
                nearest = np.abs(np.subtract.outer(difference, _sums(lost))).min(axis=1)
                assert nearest.max() <= 1e-10 * np.abs(raw[:, column]).max() + 5e-15
        found = evaluator.compute(*structure)
        forces = reference[f"s{k}_forces"]
        assert found.energy == pytest.approx(float(reference[f"s{k}_energy"]), rel=1e-6)
        assert np.abs(found.forces - forces).max() <= 1e-4 * np.abs(forces).max()


def _weight_of_straight_pairs(cell, cutoff: float, number: int) -> list[float]:
    """Return Z² C(R)² of every lattice vector ±R within the cutoff; shape p2a from −r_c."""
    steps = [n for n in np.ndindex(5, 5, 5) if n > (2, 2, 2)]
    lengths = [np.linalg.norm((np.array(n) - 2) @ cell) / cutoff for n in steps]
    fall = [(1.0 - (2.0 - x) * x) for x in lengths if x < 1.0]
    return [number**2 * (y**3 * (10.0 + y * (6.0 * y - 15.0))) ** 2 for y in fall]


def _sums(parts) -> np.ndarray:
    """Return the sums of all selections of the parts."""
    parts = np.atleast_1d(parts)
    return np.array([np.dot(pick, parts) for pick in np.ndindex(*[2] * len(parts))])


@pytest.mark.parametrize(
    ("system", "length", "energy", "elements"),
    [
        # The factors that the decks give LAMMPS, which aren't quite CODATA's.
        ("H2O_RPBE-D3", 1.8897261328, 0.0367493254, (1, 8)),
        ("Cu2S_PBE", 1.0, 1.0, (16, 29)),
    ],
)
def test_energy_forces_and_virial_are_those_of_lammps(
    shared_reference, system, length, energy, elements
):
    folder = shared_reference / "n2p2" / "md_lammps"
    reference = np.load(folder / f"{system}.npz")
    atomic_units = length != 1.0
    units = ("bohr", "hartree") if atomic_units else ANGSTROM
    to_angstrom = length * BOHR if atomic_units else 1.0
    to_ev = energy * HARTREE if atomic_units else 1.0
    potential = load_potential(folder / f"{system}_hdnnp-data", *units)
    atoms = reference["id_type_x_f_step0"]
    data = next(
        path for path in folder.glob("*.data") if path.name[:3].lower() == system[:3].lower()
    )
    rows = [line.split() for line in data.read_text().splitlines()]
    bounds = {
        row[2]: float(row[1]) - float(row[0])
        for row in rows
        if row[2:3] and row[2] in ("xlo", "ylo", "zlo")
    }
    cell = np.diag([bounds["xlo"], bounds["ylo"], bounds["zlo"]])
    tilt = [row for row in rows if row[-1:] == ["yz"]]
    if tilt:
        cell[1, 0], cell[2, 0], cell[2, 1] = map(float, tilt[0][:3])
    numbers = np.array(elements)[atoms[:, 1].astype(int) - 1]
    found = Evaluator(potential).compute(
        numbers, atoms[:, 2:5] * to_angstrom, cell * to_angstrom, True
    )
    thermo = dict(zip(reference["thermo_cols"], reference["thermo"][0], strict=True))
    assert found.energy / to_ev == pytest.approx(float(thermo["PotEng"]), rel=1e-10)
    forces = found.forces / to_ev * to_angstrom
    assert np.abs(forces - atoms[:, 5:8]).max() <= 1e-9 * np.abs(atoms[:, 5:8]).max()
    # LAMMPS prints the virial as a pressure, in bar: positive where the cell pushes outwards.
    pressure = -found.stress / to_ev * to_angstrom**3 * 1.6021765e6
    order = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    mine = np.array([pressure[pair] for pair in order])
    theirs = np.array([float(thermo[f"c_vir[{k}]"]) for k in range(1, 7)])
    np.testing.assert_allclose(mine, theirs, atol=1e-6 * np.abs(theirs).max())


def test_bohr_and_hartree_give_the_same_physics(shared_reference):
    folder = shared_reference / "n2p2" / "H2O_RPBE-D3"
    numbers, positions, cell, pbc = next(read_structures(folder / "input.data"))
    bare = Evaluator(load_potential(folder, *ANGSTROM)).compute(numbers, positions, cell, pbc)
    atomic = Evaluator(load_potential(folder, "bohr", "hartree")).compute(
        numbers, positions * BOHR, cell * BOHR, pbc
    )
    assert atomic.energy == pytest.approx(bare.energy * HARTREE, rel=1e-12)
    np.testing.assert_allclose(atomic.forces, bare.forces * HARTREE / BOHR, atol=1e-10)
    np.testing.assert_allclose(
        atomic.stress, bare.stress * HARTREE / BOHR**3, atol=1e-10 * np.abs(bare.stress).max()
    )


def test_the_structures_a_potential_was_scaled_on_do_not_extrapolate(shared_reference):
    folder = shared_reference / "n2p2" / "H2O_RPBE-D3"
    potential = load_potential(folder, *ANGSTROM)
    structure = next(read_structures(folder / "input.data"))
    assert Evaluator(potential).compute(*structure).extrapolation_count == 0
    scaling = dict(potential.scaling)
    values = Evaluator(potential).symmetry_functions(*structure)
    oxygen = values[structure[0] == 8]
    # Narrow one function's range to its mean: half of the oxygen atoms must now stand out.
    narrow = replace(
        scaling["O"],
        minimum=np.where(np.arange(30) == 4, oxygen[:, 4].mean(), scaling["O"].minimum),
    )
    found = Evaluator(replace(potential, scaling={**scaling, "O": narrow})).compute(*structure)
    outside = np.flatnonzero((structure[0] == 8) & (values[:, 4] < oxygen[:, 4].mean() - 1e-9))
    assert found.extrapolation_count == len(outside) > 0
    assert list(found.extrapolations["atom"]) == list(outside)
    assert set(found.extrapolations["function"]) == {4}
    np.testing.assert_allclose(found.extrapolations["value"], values[outside, 4])
    assert (found.extrapolations["low"] > found.extrapolations["value"]).all()
