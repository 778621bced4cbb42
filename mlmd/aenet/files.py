"""Reading aenet's network files, one for each element, ``NAME.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ase.data import atomic_numbers

from mlmd.aenet.potential import (
    AenetPotential,
    Basis,
    BehlerBasis,
    ChebyshevBasis,
    ElementPotential,
    Origin,
    input_order,
)
from mlmd.aenet.records import Records, open_records
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import TWIST_INNER, TWIST_OUTER
from mlmd.hdnnp.potential import Activation, ElementNetwork, SymmetryFunction

SUFFIXES = (".nn", ".ann", ".ascii")
# aenet's numbers of activation functions; 3 is a·tanh(bx), and 4 that plus 0.1x.
ACTIVATIONS = {
    0: Activation.LINEAR,
    1: Activation.TANH,
    2: Activation.LOGISTIC,
    3: Activation.TANH,
    4: Activation.TWISTED_TANH,
}
SCALED_TANH = 3
N2P2_KINDS = {1: 2, 2: 2, 4: 3, 5: 9}
"""aenet's kinds of symmetry functions, and n2p2's numbers for the same ones."""
# Lengths of aenet's character variables.
DESCRIPTION, ELEMENT, BASIS_NAME, FILE_NAME = 1024, 2, 100, 1024
MOST_LAYERS, MOST_NODES, MOST_FUNCTIONS, MOST_ELEMENTS = 100, 100_000, 100_000, 120


def load_aenet(source: Path | str | Sequence[Path | str]) -> AenetPotential:
    """Read an aenet potential.

    Args:
        source: a folder of network files (all files ``*.nn``, ``*.ann``, ``*.ascii`` in it), or
            the files themselves.

    Raises:
        InvalidInput: no files, a damaged one, or files that don't belong together.
    """
    if isinstance(source, str | Path):
        folder = Path(source)
        paths = sorted(path for path in folder.glob("*") if is_network(path))
        if not paths:
            known = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
            raise InvalidInput(str(folder), "no aenet networks", f"files {known}")
    else:
        paths = [Path(path) for path in source]
    parts = [read_network(path) for path in paths]
    return AenetPotential(tuple(sorted(parts, key=lambda part: atomic_numbers[part.element])))


def is_network(path: Path) -> bool:
    """Say whether a file's name is that of an aenet network; n2p2 has an ``input.nn``."""
    return path.suffix in SUFFIXES and path.name != "input.nn" and path.is_file()


def read_network(path: Path | str) -> ElementPotential:
    """Read one element's network file, binary or ASCII.

    Raises:
        InvalidInput: it is damaged, or has what we can't evaluate (G3).
    """
    path = Path(path)
    where, records = path.name, open_records(path)
    network = _network(where, records)
    (description,) = records.words("the description", 1, DESCRIPTION)
    element = _elements(where, records.words("the element", 1, ELEMENT))[0]
    (neighbors,) = _counts(where, records, "number of neighbour elements", MOST_ELEMENTS)
    names = _elements(where, records.words("the neighbour elements", neighbors, ELEMENT))
    (smallest,) = records.numbers("the smallest distance", 1)
    records.numbers("the cutoff", 1)
    basis = _basis(where, element, names, records)
    count = basis.count
    if count != len(network.weights[0]):
        raise InvalidInput(
            where, f"{count} functions and {len(network.weights[0])} inputs", f"{count} of both"
        )
    (evaluations,) = records.integers("the number of evaluations", 1)
    low, high, mean, square = (
        records.numbers(name, count) for name in ("minima", "maxima", "means", "squares")
    )
    training_set, scale, shift, energies = _energies(where, records)
    if isinstance(basis, BehlerBasis) and tuple(energies) != names:
        # aenet itself would number the elements in two ways, and mix up the functions.
        raise InvalidInput(
            where,
            f"neighbour elements {' '.join(names)}, the training set has {' '.join(energies)}",
            "one order of the elements",
        )
    (atoms,), (structures,) = records.integers("atoms", 1), records.integers("structures", 1)
    lowest, highest, average = map(float, records.numbers("energies", 3))
    origin = Origin(
        description, float(smallest), evaluations, training_set, atoms, structures,
        (lowest, highest, average),
    )  # fmt: skip
    return ElementPotential(
        element, basis, network, low, high, mean, square, scale, shift, energies, origin
    )


def _network(where: str, records: Records) -> ElementNetwork:
    (layers,) = _counts(where, records, "number of layers", MOST_LAYERS)
    records.integers("the largest layer", 1)
    (weights,) = _counts(where, records, "number of weights", 1 << 27)
    records.integers("the number of values", 1)
    sizes = records.integers("nodes", layers)
    letters = records.integers("activations", layers - 1)
    records.integers("weight positions", layers)
    records.integers("value positions", layers)
    values = records.numbers("weights", weights)
    strange = [letter for letter in letters if letter not in ACTIVATIONS]
    strange += [letters[-1]] if letters[-1] == SCALED_TANH else []
    if strange:
        raise InvalidInput(
            where,
            f"activation {strange[0]}",
            "0 linear, 1 tanh, 2 sigmoid, 3 mtanh or 4 twist; not mtanh in the last layer",
        )
    expected = sum((before + 1) * after for before, after in pairwise(sizes))
    if min(sizes) < 1 or max(sizes) > MOST_NODES or expected != weights or sizes[-1] != 1:
        shape = "-".join(map(str, sizes))
        raise InvalidInput(where, f"{weights} weights", f"{expected} for a {shape} network")
    matrices: list[FloatArray] = []
    biases: list[FloatArray] = []
    for before, after in pairwise(sizes):
        # By column: all nodes after, of each node before; the last node before is the bias.
        matrix = values[: (before + 1) * after].reshape(before + 1, after)
        matrices.append(matrix[:-1].copy())
        biases.append(matrix[-1].copy())
        values = values[(before + 1) * after :]
    for layer, letter in enumerate(letters[:-1]):
        if letter == SCALED_TANH:  # both factors go into the weights around
            matrices[layer] *= TWIST_INNER
            biases[layer] *= TWIST_INNER
            matrices[layer + 1] *= TWIST_OUTER
    return ElementNetwork(
        tuple(matrices), tuple(biases), tuple(ACTIVATIONS[letter] for letter in letters)
    )


def _basis(where: str, element: str, names: tuple[str, ...], records: Records) -> Basis:
    (kind,) = records.words("the kind of functions", 1, BASIS_NAME)
    (functions,) = _counts(where, records, "number of functions", MOST_FUNCTIONS)
    (parameters,) = _counts(where, records, "number of parameters", MOST_NODES)
    kinds = records.integers("kinds", functions)
    table = records.numbers("parameters", parameters * functions).reshape(functions, parameters)
    environments = records.environments("environments", len(names), functions)
    if parameters < 4:
        raise InvalidInput(where, f"{parameters} parameters a function", "4")
    if kind.lower() == "chebyshev":
        basis = _chebyshev(where, names, table[0])
        if functions != basis.count:
            raise InvalidInput(where, f"{functions} functions", f"{basis.count}")
        return basis
    if kind.lower() == "behler2011":
        return _behler(where, element, names, list(zip(kinds, table, environments, strict=True)))
    raise InvalidInput(where, f"functions of kind {kind}", "Chebyshev or Behler2011")


def _chebyshev(where: str, neighbors: tuple[str, ...], parameters: FloatArray) -> ChebyshevBasis:
    radial, order, angular, degree = map(float, parameters[:4])
    if not (0.0 < radial < 100.0 and 0.0 < angular <= radial):
        # aenet leaves the weight of a neighbour beyond the radial cutoff undefined.
        raise InvalidInput(
            where,
            f"cutoffs {radial:g} and {angular:g} Å",
            "a positive angular cutoff not beyond the radial one",
        )
    if not (0 <= order <= 200 and 0 <= degree <= 40):
        raise InvalidInput(where, f"orders {order:g} and {degree:g}", "at most 200 and 40")
    return ChebyshevBasis(neighbors, radial, round(order), angular, round(degree))


def _behler(
    where: str,
    element: str,
    names: tuple[str, ...],
    rows: list[tuple[int, FloatArray, tuple[int, ...]]],
) -> BehlerBasis:
    found = []
    for number, (kind, row, places) in enumerate(rows, 1):
        if kind not in N2P2_KINDS:
            raise InvalidInput(
                f"{where}, function {number}",
                f"G{kind}",
                "G1, G2, G4 or G5",
                "n2p2 and our engine have no such function.",
            )
        # ASCII files of one element have no room for the second neighbour: it is the same.
        places = (places + places)[: 1 if kind < 3 else 2]
        if not all(1 <= place <= len(names) for place in places):
            raise InvalidInput(f"{where}, function {number}", f"neighbours {places}", "elements")
        cutoff, second, third, fourth = map(float, row[:4])
        shift, eta, lam, zeta = 0.0, 0.0, 0.0, 0.0
        if kind == 2:
            shift, eta = second, third
        elif kind > 3:
            lam, zeta, eta = second, third, fourth
        if not (0.0 < cutoff < 100.0 and eta >= 0.0 and (kind < 3 or zeta > 0.0)):
            raise InvalidInput(
                f"{where}, function {number}", f"r_c {cutoff:g} Å, η {eta:g}, ζ {zeta:g}",
                "a cutoff below 100 Å, η ≥ 0, ζ > 0",
            )  # fmt: skip
        symbols = sorted((names[place - 1] for place in places), key=atomic_numbers.__getitem__)
        function = SymmetryFunction(
            N2P2_KINDS[kind], element, tuple(symbols), eta, shift, lam, zeta, cutoff
        )
        found.append((input_order(kind, places), function))
    return BehlerBasis(names, tuple(f for _, f in sorted(found, key=lambda item: item[0])))


def _energies(where: str, records: Records) -> tuple[str, float, float, dict[str, float]]:
    (name,) = records.words("the training set's name", 1, FILE_NAME)
    records.integers("normalised", 1)
    scale = float(records.numbers("the energy scale", 1)[0])
    shift = float(records.numbers("the energy shift", 1)[0])
    (count,) = _counts(where, records, "number of elements", MOST_ELEMENTS)
    names = _elements(where, records.words("the elements", count, ELEMENT))
    energies = records.numbers("the energies of atoms", count)
    if scale == 0.0:
        raise InvalidInput(where, "energy scale 0", "a factor other than zero")
    return name, 1.0 / scale, shift, dict(zip(names, map(float, energies), strict=True))


def _counts(where: str, records: Records, name: str, most: int) -> tuple[int]:
    (count,) = records.integers(f"the {name}", 1)
    if not 1 <= count <= most:
        raise InvalidInput(where, f"{name} {count}", f"1 to {most}")
    return (count,)


def _elements(where: str, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in atomic_numbers or name == "X":
            raise InvalidInput(where, f"element {name!r}", "an element symbol")
    return names
