"""Reading aenet's network files, one for each element, ``NAME.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ase.data import atomic_numbers

from mlmd.aenet.potential import AenetPotential, ChebyshevBasis, ElementPotential
from mlmd.aenet.records import Records, open_records
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import Activation, ElementNetwork

SUFFIXES = (".nn", ".ann", ".ascii")
# aenet's numbers of activation functions; it has scaled and twisted tanh, too.
ACTIVATIONS = {0: Activation.LINEAR, 1: Activation.TANH, 2: Activation.LOGISTIC}
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
        InvalidInput: it is damaged, or has what we can't evaluate (functions other than
            Chebyshev, twisted activations).
    """
    path = Path(path)
    records = open_records(path)
    network = _network(path.name, records)
    records.words("the description", 1, DESCRIPTION)
    element = _elements(path.name, records.words("the element", 1, ELEMENT))[0]
    (neighbors,) = _counts(path.name, records, "number of neighbour elements", MOST_ELEMENTS)
    names = _elements(path.name, records.words("the neighbour elements", neighbors, ELEMENT))
    records.numbers("the smallest distance", 1)
    records.numbers("the cutoff", 1)
    (kind,) = records.words("the kind of functions", 1, BASIS_NAME)
    if kind.lower() != "chebyshev":
        raise InvalidInput(
            path.name,
            f"functions of kind {kind}",
            "Chebyshev",
            "Symmetry functions of aenet are not evaluated here: train with n2p2's files instead.",
        )
    (functions,) = _counts(path.name, records, "number of functions", MOST_FUNCTIONS)
    (parameters,) = _counts(path.name, records, "number of parameters", MOST_NODES)
    records.integers("kinds", functions)
    table = records.numbers("parameters", parameters * functions)
    records.integers("environments", 2 * functions)
    basis = _basis(path.name, names, table[:4])
    if not functions == basis.count == len(network.weights[0]):
        raise InvalidInput(
            path.name,
            f"{functions} functions and {len(network.weights[0])} inputs",
            f"{basis.count} of both",
        )
    records.integers("the number of evaluations", 1)
    low, high, mean, square = (
        records.numbers(name, functions) for name in ("minima", "maxima", "means", "squares")
    )
    return ElementPotential(
        element, basis, network, low, high, mean, square, *_energies(path.name, records)
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
    if strange:
        raise InvalidInput(
            where, f"activation {strange[0]}", "0 linear, 1 tanh or 2 logistic in every layer"
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
    return ElementNetwork(
        tuple(matrices), tuple(biases), tuple(ACTIVATIONS[letter] for letter in letters)
    )


def _basis(where: str, neighbors: tuple[str, ...], parameters: FloatArray) -> ChebyshevBasis:
    if len(parameters) < 4:
        raise InvalidInput(where, f"{len(parameters)} parameters", "4 of a Chebyshev basis")
    radial, order, angular, degree = map(float, parameters)
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


def _energies(where: str, records: Records) -> tuple[float, float, dict[str, float]]:
    records.words("the training set's name", 1, FILE_NAME)
    records.integers("normalised", 1)
    scale = float(records.numbers("the energy scale", 1)[0])
    shift = float(records.numbers("the energy shift", 1)[0])
    (count,) = _counts(where, records, "number of elements", MOST_ELEMENTS)
    names = _elements(where, records.words("the elements", count, ELEMENT))
    energies = records.numbers("the energies of atoms", count)
    if scale == 0.0:
        raise InvalidInput(where, "energy scale 0", "a factor other than zero")
    return 1.0 / scale, shift, dict(zip(names, map(float, energies), strict=True))


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
