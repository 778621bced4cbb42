"""Functions and their derivatives against n2p2's numbers, the engine, and finite differences."""

import numpy as np
import pytest
from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.formats import read_frames
from mlmd.hdnnp.automatic import automatic_functions
from mlmd.hdnnp.derivatives import VOIGT, DescriptorSet
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.potential import CutoffType, SymmetryFunction, sort_functions
from mlmd.hdnnp.symmetry import FUNCTION_KINDS

SYSTEMS = (
    "LJ", "H2O_RPBE-D3", "Cu2S_PBE", "synthetic_ct0_none_l", "synthetic_ct1", "synthetic_ct1_a03",
    "synthetic_ct2", "synthetic_ct3", "synthetic_ct4", "synthetic_ct5", "synthetic_ct6",
    "synthetic_ct7_a05", "synthetic_ct8", "synthetic_offs", "synthetic_mix",
)  # fmt: skip
MOLECULE = (np.array([8, 1, 1, 8]), np.array([[0, 0, 0], [1, 0.2, 0], [-0.3, 0.9, 0], [1, 1, 2.0]]))
SKEWED = np.array([[3.1, 0.0, 0.0], [0.9, 2.9, 0.0], [-0.4, 0.7, 3.4]])


def mixed_functions():
    r_c = 4.0
    angular = [
        SymmetryFunction(kind, "O", pair, eta, rs, lam, zeta, r_c)
        for kind in (3, 9)
        for pair in (("H", "H"), ("H", "O"), ("O", "O"))
        for eta, rs in ((0.1, 0.0), (0.3, 0.8))
        for lam, zeta in ((1.0, 1.0), (-1.0, 2.5), (1.0, 4.0))
    ]
    radial = [
        SymmetryFunction(2, "O", (e,), eta, 0.5, 0.0, 0.0, 3.5) for e in "HO" for eta in (0.1, 1)
    ]
    weighted = [
        SymmetryFunction(12, "O", (), 0.2, 0.0, 0.0, 0.0, r_c),
        SymmetryFunction(13, "O", (), 0.2, 0.1, 1.0, 2.0, r_c),
    ]
    hydrogen = [SymmetryFunction(2, "H", ("O",), 0.3, 0.0, 0.0, 0.0, r_c)]
    oxygen = sort_functions(angular + radial + weighted)
    return DescriptorSet(("H", "O"), {"H": tuple(hydrogen), "O": oxygen}, CutoffType.COSINE, 0.1)


def compact_functions():
    lines = [
        "O 20 H -4.0 4.0 e", "O 20 O 0.4 3.5 p2a", "O 21 H O 0.3 4.0 30 150 p3",
        "O 21 O O -4.0 4.0 60 300 p2", "O 22 H H -0.3 3.5 -90 90 p4a", "O 23 -4.0 4.0 p1",
        "O 24 0.2 4.0 20 170 e", "O 25 -4.0 4.0 100 260 p3a", "O 2 H 0.3 0.0 4.0",
        "H 22 O O 0.2 4.0 10 140 p2", "H 20 O 0.2 4.0 p4",
    ]  # fmt: skip
    found = {"H": [], "O": []}
    for center, kind, *words in map(str.split, lines):
        found[center].append(FUNCTION_KINDS[int(kind)].parse("a line", center, words))
    functions = {element: sort_functions(row) for element, row in found.items()}
    return DescriptorSet(("H", "O"), functions, CutoffType.COSINE, 0.1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_values_are_those_of_n2p2(shared_reference, system):
    folder = shared_reference / "n2p2" / system
    reference = np.load(folder / "reference.npz")
    potential = load_potential(folder, "angstrom", "ev")
    descriptors = DescriptorSet.of(potential)
    for k, frame in enumerate(read_frames(folder / "input.data", "n2p2")):
        parts = descriptors.values(frame.numbers, frame.positions, frame.cell, frame.pbc)
        for element, (atoms, values) in zip(potential.elements, parts, strict=True):
            if f"s{k}_{element}_raw" not in reference:
                continue
            expected = reference[f"s{k}_{element}_raw"]
            np.testing.assert_array_equal(atoms, reference[f"s{k}_{element}_atoms"])
            scale = np.maximum(np.abs(expected).max(axis=0), 1e-300)
            assert np.abs((values - expected) / scale).max() < 1e-9


@pytest.mark.parametrize(("cell", "pbc"), [(np.zeros((3, 3)), False), (SKEWED, True)])
@pytest.mark.parametrize("descriptors", [mixed_functions(), compact_functions(), DescriptorSet(("H", "O"), automatic_functions(("H", "O")))])  # fmt: skip
def test_gradients_are_slopes(descriptors, cell, pbc):
    numbers, positions = MOLECULE
    pbc = (pbc,) * 3
    parts = descriptors.derivatives(numbers, positions, cell, pbc)
    step = 1e-5
    for j in range(len(numbers)):
        for axis in range(3):
            moved = []
            for sign in (1, -1):
                shifted = positions.astype(float).copy()
                shifted[j, axis] += sign * step
                moved.append(descriptors.values(numbers, shifted, cell, pbc))
            for part, (_, up), (_, down) in zip(parts, *moved, strict=True):
                slope = np.zeros_like(part.values)
                for row in range(len(part.atoms)):
                    pairs = range(part.first[row], part.first[row + 1])
                    for p in pairs:
                        if part.moved[p] == j:
                            slope[row] += part.gradients[p, axis]
                scale = np.maximum(np.abs(part.gradients).max(axis=(0, 1)), 1e-3)
                assert np.abs((slope - (up - down) / (2 * step)) / scale).max() < 1e-5


@pytest.mark.parametrize("pbc", [False, True])
@pytest.mark.parametrize("descriptors", [mixed_functions(), compact_functions(), DescriptorSet(("H", "O"), automatic_functions(("H", "O")))])  # fmt: skip
def test_strains_are_slopes(descriptors, pbc):
    numbers, positions = MOLECULE
    # The cell is smaller than the cutoff: atoms see images of themselves.
    cell, pbc = (SKEWED if pbc else np.zeros((3, 3))), (pbc,) * 3
    parts = descriptors.derivatives(numbers, positions, cell, pbc)
    step = 1e-5
    for c, (a, b) in enumerate(VOIGT):
        strained = []
        for sign in (1, -1):
            change = np.eye(3)
            change[a, b] += 0.5 * sign * step
            change[b, a] += 0.5 * sign * step
            strained.append(descriptors.values(numbers, positions @ change, cell @ change, pbc))
        for part, (_, up), (_, down) in zip(parts, *strained, strict=True):
            scale = np.maximum(np.abs(part.strains).max(axis=(0, 1)), 1e-3)
            slope = (up - down) / (2 * step)
            assert np.abs((part.strains[:, c] - slope) / scale).max() < 1e-5


def test_a_translation_changes_nothing():
    numbers, positions = MOLECULE
    for part in mixed_functions().derivatives(numbers, positions, SKEWED, (True,) * 3):
        for row in range(len(part.atoms)):
            total = part.gradients[part.first[row] : part.first[row + 1]].sum(axis=0)
            assert np.abs(total).max() < 1e-5 * max(np.abs(part.gradients).max(), 1.0)


def test_every_moved_atom_is_named_once():
    numbers, positions = MOLECULE
    for part in mixed_functions().derivatives(numbers, positions, SKEWED, (True,) * 3):
        for row, atom in enumerate(part.atoms):
            moved = part.moved[part.first[row] : part.first[row + 1]]
            assert len(set(moved.tolist())) == len(moved)
            assert moved[0] == atom


def test_a_lonely_atom_has_zero_functions_and_no_neighbours():
    (hydrogen, oxygen) = mixed_functions().derivatives(
        np.array([atomic_numbers["O"]]), np.zeros((1, 3)), np.zeros((3, 3)), (False,) * 3
    )
    assert len(hydrogen.atoms) == 0
    assert not oxygen.values.any()
    assert oxygen.moved.tolist() == [0]
    assert not oxygen.gradients.any()


def test_an_unknown_element_and_foreign_units_are_refused(shared_reference):
    _numbers, positions = MOLECULE
    with pytest.raises(InvalidInput, match="element Fe"):
        mixed_functions().values(np.full(4, 26), positions, SKEWED, (True,) * 3)
    potential = load_potential(shared_reference / "n2p2" / "LJ", "bohr", "hartree")
    with pytest.raises(InvalidInput, match="bohr"):
        DescriptorSet.of(potential)
