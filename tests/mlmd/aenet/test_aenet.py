"""aenet's files and numbers: agreement with predict.x, with ten lines of NumPy, and bad files."""

from __future__ import annotations

import json
import re
import struct
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from ase.data import atomic_numbers

import mlmd
from mlmd.__main__ import main
from mlmd.aenet.calculator import AenetCalculator
from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import load_aenet, read_network
from mlmd.aenet.potential import AenetPotential, ChebyshevBasis
from mlmd.aenet.tables import chebyshev_series
from mlmd.errors import InvalidInput
from mlmd.formats import read_structures
from mlmd.hdnnp.calculator import HDNNPCalculator
from mlmd.hdnnp.files import save_potential
from mlmd.loading import FamilyName, evaluator_of, family_of, read_potential


def fortran(*records: bytes) -> bytes:
    return b"".join(struct.pack("<i", len(r)) + r + struct.pack("<i", len(r)) for r in records)


def values(kind: str, numbers) -> bytes:
    return np.asarray(numbers, dtype={"i": "<i4", "d": "<f8"}[kind]).tobytes()


def network_records(element: str, seed: int, basis: ChebyshevBasis):
    """Return (kind, value) of every record of a network file with random weights."""
    rng = np.random.default_rng(seed)
    count, hidden = basis.count, 5
    weights = rng.normal(size=(count + 1) * hidden + hidden + 1) * 0.3
    parameters = np.zeros((count, 4))
    parameters[0] = (
        basis.radial_cutoff, basis.radial_order, basis.angular_cutoff, basis.angular_order,
    )  # fmt: skip
    mean = rng.normal(size=count)
    names = list(basis.neighbors)
    return [
        ("i", [3]), ("i", [count]), ("i", [len(weights)]), ("i", [count + hidden + 3]),
        ("i", [count, hidden, 1]), ("i", [1, 0]), ("i", [0, 1, 2]), ("i", [0, 1, 2]),
        ("d", weights),
        (1024, ["made for a test"]), (2, [element]), ("i", [len(names)]), (2, names),
        ("d", [0.5]), ("d", [basis.radial_cutoff]), (100, ["Chebyshev"]),
        ("i", [count]), ("i", [4]), ("i", [0] * count), ("d", parameters.ravel()),
        ("i", [0] * 2 * count), ("i", [1000]),
        ("d", mean - 9), ("d", mean + 9), ("d", mean), ("d", mean**2 + 4.0),
        (1024, ["train.set"]), ("i", [1]), ("d", [1.25]), ("d", [-0.5]),
        ("i", [len(names)]), (2, names), ("d", [-100.0 - k for k in range(len(names))]),
        ("i", [10]), ("i", [2]), ("d", [-1.0, 1.0, 0.0]),
    ]  # fmt: skip


def write_binary(path: Path, records) -> None:
    parts = []
    for kind, value in records:
        if isinstance(kind, int):
            parts.append(b"".join(name.ljust(kind).encode() for name in value))
        else:
            parts.append(values(kind, value))
    path.write_bytes(fortran(*parts))


def write_text(path: Path, records) -> None:
    lines = []
    for kind, value in records:
        if isinstance(kind, int):
            lines += value
        else:
            words = [f"{x:.17E}" if kind == "d" else str(x) for x in value]
            lines += [" ".join(words[k : k + 4]) for k in range(0, len(words), 4)]
    path.write_text("\n".join(lines) + "\n")


BASIS = ChebyshevBasis(("O", "H"), 4.0, 5, 3.5, 3)


def networks_of(potential):
    if isinstance(potential, AenetPotential):
        return [part.network for part in potential.parts]
    return list(potential.networks.values())


@pytest.fixture
def folder(tmp_path):
    for seed, element in enumerate("HO"):
        write_binary(tmp_path / f"{element}.5t.nn", network_records(element, seed, BASIS))
    return tmp_path


def test_energies_and_forces_are_those_of_aenet(shared_reference):
    folder = shared_reference / "aenet_tio2"
    evaluator = AenetEvaluator(load_aenet(folder), threads=1)
    blocks = (folder / "p.out").read_text().split("Cartesian atomic coordinates")[1:]
    assert len(blocks) == 3
    for k, block in enumerate(blocks):
        atoms = read_structures(folder / f"s{k}.xsf")[0]
        found = evaluator.compute(atoms.numbers, atoms.positions, atoms.cell.array, True)
        energy = float(re.search(r"Total energy\s*:\s*(\S+)", block)[1])
        rows = [line.split() for line in block.splitlines() if re.match(r" (Ti|O )", line)]
        forces = np.array([row[4:7] for row in rows], dtype=float)
        # aenet prints eight decimals of the energy and six of the forces.
        assert abs(found.energy - energy) <= 0.6e-8
        assert np.abs(found.forces - forces).max() <= 0.51e-6


def test_functions_are_the_sums_of_their_definition(folder):
    potential = load_aenet(folder)
    numbers = np.array([8, 1, 1, 8])
    x = np.array([[0.0, 0, 0], [1.0, 0.2, 0], [-0.3, 0.9, 0], [1.0, 1.0, 2.6]])
    found = AenetEvaluator(potential, threads=1).symmetry_functions(
        numbers, x, np.zeros((3, 3)), False
    )
    weight = {8: -1.0, 1: 1.0}

    def cutoff(r: float, radius: float) -> float:
        return 0.5 * (np.cos(np.pi * r / radius) + 1.0) if r < radius else 0.0

    def chebyshev(order: int, t: float) -> np.ndarray:
        return np.cos(np.arange(order + 1) * np.arccos(t))

    for i in range(4):
        radial, angular = np.zeros((2, 6)), np.zeros((2, 4))
        others = [j for j in range(4) if j != i]
        for j in others:
            r = np.linalg.norm(x[j] - x[i])
            term = chebyshev(5, 2 * r / 4.0 - 1.0) * cutoff(r, 4.0)
            radial += np.outer([1.0, weight[numbers[j]]], term)
        for j, k in combinations(others, 2):
            a, b = x[j] - x[i], x[k] - x[i]
            lengths = np.linalg.norm(a), np.linalg.norm(b)
            term = chebyshev(3, a @ b / np.prod(lengths))
            term *= cutoff(lengths[0], 3.5) * cutoff(lengths[1], 3.5)
            angular += np.outer([1.0, weight[numbers[j]] * weight[numbers[k]]], term)
        expected = np.concatenate([radial[0], angular[0], radial[1], angular[1]])
        np.testing.assert_allclose(found[i], expected, atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 5, 12])
def test_chebyshev_polynomials_are_sums_of_legendre_polynomials(order):
    t = np.linspace(-1, 1, 7)
    values = np.polynomial.legendre.legval(t, chebyshev_series(order))
    np.testing.assert_allclose(values, np.cos(order * np.arccos(t)), atol=1e-10)


def test_weights_of_neighbours_leave_out_zero_for_even_numbers():
    def weights(*elements: str) -> list[float]:
        return list(ChebyshevBasis(elements, 4.0, 5, 3.5, 3).weights.values())

    assert weights("Ti", "O") == [-1.0, 1.0]
    assert weights("H", "C", "O") == [-1.0, 0.0, 1.0]
    assert weights("H", "C", "N", "O") == [-2.0, -1.0, 1.0, 2.0]
    assert ChebyshevBasis(("Si",), 4.0, 5, 3.5, 3).count == 10


def test_both_forms_of_a_file_say_the_same(folder, tmp_path):
    write_text(tmp_path / "H.ascii", network_records("H", 0, BASIS))
    one, two = read_network(folder / "H.5t.nn"), read_network(tmp_path / "H.ascii")
    assert one.basis == two.basis
    assert (
        (one.energy_scale, one.energy_shift) == (two.energy_scale, two.energy_shift) == (0.8, -0.5)
    )
    assert one.atom_energies == two.atom_energies == {"O": -100.0, "H": -101.0}
    for a, b in zip(one.network.weights, two.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.mean_square, two.mean_square)


def test_a_big_endian_file_is_read(folder, tmp_path):
    little = read_network(folder / "H.5t.nn")
    parts = []
    for kind, value in network_records("H", 0, BASIS):
        if isinstance(kind, int):
            data = b"".join(name.ljust(kind).encode() for name in value)
        else:
            data = np.asarray(value, dtype={"i": ">i4", "d": ">f8"}[kind]).tobytes()
        length = struct.pack(">i", len(data))
        parts += [length, data, length]
    (tmp_path / "big.nn").write_bytes(b"".join(parts))
    np.testing.assert_array_equal(
        read_network(tmp_path / "big.nn").network.weights[0], little.network.weights[0]
    )


@pytest.mark.parametrize(
    ("index", "value", "complaint"),
    [
        (2, [7], "7 weights|bytes for weights"),
        (5, [5, 0], "activation 5"),
        (5, [1, 3], "not mtanh in the last layer"),
        (10, ["Xx"], "element 'Xx'"),
        (12, ["O", "S"], "another network|elements|neighbours of element S"),
        (15, ["Behler2011"], "function 1: G0"),
        (15, ["SOAP"], "functions of kind SOAP"),
        (16, [12], "bytes for kinds|12 functions"),
        (28, [0.0], "energy scale 0"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(folder, index, value, complaint):
    records = network_records("H", 0, BASIS)
    records[index] = (records[index][0], value)
    write_binary(folder / "H.5t.nn", records)
    with pytest.raises(InvalidInput, match=complaint):
        load_aenet(folder)


def test_a_file_cut_anywhere_is_refused_by_name(folder):
    whole = (folder / "H.5t.nn").read_bytes()
    for cut in (0, 3, 30, 500, len(whole) // 2, len(whole) - 200):
        (folder / "H.5t.nn").write_bytes(whole[:cut])
        with pytest.raises(InvalidInput, match=r"H\.5t\.nn"):
            load_aenet(folder)


def test_an_element_without_a_network_is_named(folder):
    (folder / "O.5t.nn").unlink()
    with pytest.raises(InvalidInput, match="neighbours of element O"):
        load_aenet(folder)


def test_one_door_loads_both_families(folder, tmp_path, small_hdnnp):
    aenet = mlmd.load(folder, threads=1)
    assert isinstance(aenet, AenetCalculator)
    save_potential(small_hdnnp, tmp_path / "n2p2")
    assert isinstance(mlmd.load(tmp_path / "n2p2"), HDNNPCalculator)
    assert family_of(folder) is FamilyName.AENET
    assert family_of(tmp_path / "n2p2") is FamilyName.HDNNP
    for place in (folder, tmp_path / "n2p2"):
        potential = read_potential(place)
        weights = [n.weights + n.biases for n in networks_of(potential)]
        assert potential.parameters == sum(w.size for parts in weights for w in parts)
        assert evaluator_of(potential, 1).elements == potential.elements
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InvalidInput, match="no potential"):
        mlmd.load(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="no such folder"):
        mlmd.load(tmp_path / "nowhere")


def test_ase_gets_energy_forces_and_stress(folder):
    from ase import Atoms

    atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.2, 0.9, 0]], cell=[5, 5, 5], pbc=True)
    atoms.calc = mlmd.load(folder, threads=1)
    assert atoms.get_forces().shape == (3, 3)
    assert atoms.get_stress().shape == (6,)
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())
    assert set(atoms.numbers) == {atomic_numbers["O"], atomic_numbers["H"]}


def test_predict_takes_a_folder_of_networks(folder, tmp_path, capsys):
    water = tmp_path / "water.xyz"
    water.write_text("3\n\nO 0 0 0\nH 0.96 0 0\nH -0.2 0.9 0\n")
    assert main(["predict", "--potential", str(folder), str(water), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = AenetEvaluator(load_aenet(folder)).compute(
        [8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.2, 0.9, 0]], np.zeros((3, 3)), False
    )
    assert printed["energy"] == pytest.approx(found.energy, rel=1e-12)
    np.testing.assert_allclose(printed["forces"], found.forces, atol=1e-12)
