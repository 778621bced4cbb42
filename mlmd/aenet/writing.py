"""Writes aenet's network files, in both forms; `mlmd.aenet.files` reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

import numpy as np

from mlmd.aenet.files import (
    ACTIVATIONS,
    BASIS_NAME,
    DESCRIPTION,
    ELEMENT,
    FILE_NAME,
    N2P2_KINDS,
    SCALED_TANH,
)
from mlmd.aenet.potential import AenetPotential, BehlerBasis, ChebyshevBasis, ElementPotential
from mlmd.hdnnp.potential import ElementNetwork
from mlmd.runs import write_bytes_atomic

PARAMETERS, ENVIRONMENTS = 4, 2  # of each function in a binary file
ACTIVATION_NUMBERS = {
    activation: number for number, activation in ACTIVATIONS.items() if number != SCALED_TANH
}
AENET_KINDS = {kind: number for number, kind in N2P2_KINDS.items() if number != 1}
"""n2p2's kinds of symmetry functions, and aenet's numbers for the same ones."""


class Form(StrEnum):
    """The two forms of a network file."""

    BINARY = "binary"
    ASCII = "ascii"


SUFFIXES = {Form.BINARY: "nn", Form.ASCII: "nn.ascii"}
"""How the files of each form end."""


def save_aenet(
    potential: AenetPotential, folder: Path | str, form: Form = Form.BINARY
) -> tuple[Path, ...]:
    """Write the network files of a potential, ``ELEMENT.NODES.nn`` or ``….nn.ascii``.

    Args:
        potential: what to write.
        folder: made if it doesn't exist.
        form: binary, which aenet's own programs read, or ASCII.

    Returns:
        The files, in the order of the elements.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    nodes = "-".join(map(str, potential.parts[0].network.hidden_nodes)) or "linear"
    paths = []
    for part in potential.parts:
        paths.append(place / f"{part.element}.{nodes}.{SUFFIXES[form]}")
        write_bytes_atomic(paths[-1], network_bytes(part, form))
    return tuple(paths)


def network_bytes(part: ElementPotential, form: Form) -> bytes:
    """Return the content of one element's network file."""
    values: _Binary | _Text = _Binary() if form is Form.BINARY else _Text()
    _write_network(part.network, values)
    _write_setup(part, values)
    values.words([part.origin.training_set], FILE_NAME)
    values.logical(True)
    values.numbers([1.0 / part.energy_scale])
    values.numbers([part.energy_shift])
    values.integers([len(part.atom_energies)])
    values.words(list(part.atom_energies), ELEMENT)
    values.numbers(list(part.atom_energies.values()))
    values.integers([part.origin.atoms])
    values.integers([part.origin.structures])
    values.numbers(part.origin.energies)
    return values.content()


def network_start(network: ElementNetwork) -> bytes:
    """Return the first part of a binary network file, which train.x takes as the first weights."""
    values = _Binary()
    _write_network(network, values)
    return values.content()


def _write_network(network: ElementNetwork, values: _Binary | _Text) -> None:
    sizes = [len(network.weights[0]), *(len(bias) for bias in network.biases)]
    matrices = [
        np.vstack((weights, bias))
        for weights, bias in zip(network.weights, network.biases, strict=True)
    ]
    weight_ends = np.cumsum([0, *((before + 1) * after for before, after in pairwise(sizes))])
    value_ends = np.cumsum([0, *(size + 1 for size in sizes[:-1])])
    values.integers([len(sizes)])
    values.integers([max(sizes)])
    values.integers([int(weight_ends[-1])])
    values.integers([int(value_ends[-1]) + sizes[-1]])
    values.integers(sizes)
    values.integers([ACTIVATION_NUMBERS[activation] for activation in network.activations])
    values.integers(weight_ends.tolist())
    values.integers(value_ends.tolist())
    values.numbers(np.concatenate([matrix.ravel() for matrix in matrices]).tolist())


def _write_setup(part: ElementPotential, values: _Binary | _Text) -> None:
    basis = part.basis
    kinds, table, environments = (
        _chebyshev_rows(basis) if isinstance(basis, ChebyshevBasis) else _behler_rows(basis)
    )
    values.words([part.origin.description], DESCRIPTION)
    values.words([part.element], ELEMENT)
    values.integers([len(basis.neighbors)])
    values.words(list(basis.neighbors), ELEMENT)
    values.numbers([part.origin.smallest_distance])
    values.numbers([basis.cutoff_radius])
    values.words(["Chebyshev" if isinstance(basis, ChebyshevBasis) else "Behler2011"], BASIS_NAME)
    values.integers([basis.count])
    values.integers([PARAMETERS])
    values.integers(kinds)
    values.numbers([number for row in table for number in row])
    values.environments(environments, len(basis.neighbors))
    values.integers([part.origin.evaluations])
    for column in (part.minimum, part.maximum, part.mean, part.mean_square):
        values.numbers(column.tolist())


Rows = tuple[list[int], list[Sequence[float]], list[tuple[int, int]]]


def _chebyshev_rows(basis: ChebyshevBasis) -> Rows:
    # aenet keeps the four parameters where the first function's would be.
    first = (basis.radial_cutoff, basis.radial_order, basis.angular_cutoff, basis.angular_order)
    nothing = (0.0,) * PARAMETERS
    table: list[Sequence[float]] = [first, *[nothing] * (basis.count - 1)]
    return [0] * basis.count, table, [(0, 0)] * basis.count


def _behler_rows(basis: BehlerBasis) -> Rows:
    kinds, table, environments = [], [], []
    for f in basis.functions:
        number = AENET_KINDS[f.kind]
        kinds.append(number)
        table.append(
            (f.cutoff, f.rs, f.eta, 0.0) if number == 2 else (f.cutoff, f.lam, f.zeta, f.eta)
        )
        places = sorted(basis.neighbors.index(symbol) + 1 for symbol in f.neighbors)
        environments.append((places[0], places[1] if len(places) == 2 else 0))
    return kinds, [*table], environments


class _Binary:
    """A Fortran sequential file, each record between two lengths."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def words(self, names: Sequence[str], length: int) -> None:
        self._put(
            b"".join(name.encode("ascii", "replace")[:length].ljust(length) for name in names)
        )

    def integers(self, values: Sequence[int]) -> None:
        self._put(np.asarray(values, dtype="<i4").tobytes())

    def numbers(self, values: Sequence[float]) -> None:
        self._put(np.asarray(values, dtype="<f8").tobytes())

    def logical(self, value: bool) -> None:
        self.integers([int(value)])

    def environments(self, rows: Sequence[tuple[int, int]], neighbors: int) -> None:
        self.integers([place for row in rows for place in row])

    def content(self) -> bytes:
        return b"".join(self._parts)

    def _put(self, record: bytes) -> None:
        length = struct.pack("<i", len(record))
        self._parts += [length, record, length]


class _Text:
    """The same values, four to a line, as aenet's own text has them."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def words(self, names: Sequence[str], length: int) -> None:
        self._lines += [name[:length] for name in names]

    def integers(self, values: Sequence[int]) -> None:
        self._put([f"{value:17d}" for value in values])

    def numbers(self, values: Sequence[float]) -> None:
        self._put([f"{value:24.17E}" for value in values])

    def logical(self, value: bool) -> None:
        self._lines.append(" T" if value else " F")

    def environments(self, rows: Sequence[tuple[int, int]], neighbors: int) -> None:
        # As many for each function as there are elements: what aenet reads back.
        flat = [place for row in rows for place in row]
        padded = [*flat, *[0] * neighbors]
        self.integers([padded[2 * k + n] for k in range(len(rows)) for n in range(neighbors)])

    def content(self) -> bytes:
        return ("\n".join(self._lines) + "\n").encode("ascii", "replace")

    def _put(self, words: list[str]) -> None:
        self._lines += [" " + " ".join(words[k : k + 4]) for k in range(0, len(words), 4)]
