"""What a group of lanes keeps in shared memory, and what the kernels read from device memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.gpu.lanes import LANES, SIMULATED
from mlmd.hdnnp.kernel_network import NetworkTables
from mlmd.hdnnp.tables import MOMENTS_UP_TO, FunctionTables, IndexArray, MomentTables

# Rows of neighbours, each `Layout.room` long. Row CODE holds whole numbers.
DX, DY, DZ, R, INVERSE_R, ALONG, GX, GY, GZ, CODE, VALUES = range(11)
# A row is one entry longer than the lanes: lanes that read down a column meet no common bank.
ROW = LANES + 1
# What a block may have without asking the driver for more.
SHARED_BYTES = 48 * 1024
# The simulator has one group to a block.
MOST_GROUPS = 1 if SIMULATED else 4
ROUNDING = 4e-6
LEGENDRE_ROW = MOMENTS_UP_TO + 1


# An array in device memory; its type differs between the simulator and CUDA.
DeviceArray = Any


class Layout(NamedTuple):
    """Places of one group's tables, in 4-byte words from the start of its part."""

    words: int  # in all
    room: int  # neighbours
    segments: int  # elements + 1 whole numbers: where the neighbours of each element start
    functions: int  # symmetry functions
    gradient: int  # scaled functions, then dE/dG
    moments: int  # of all blocks of all centres' elements
    pull: int  # dE/dA
    own: int  # what a neighbour's square of f takes away
    space: int  # shared by what is never needed at the same time


class MomentExtras(NamedTuple):
    """What the moments' recursions need beside `MomentTables`."""

    norms: FloatArray  # by m, then l, as the next two
    up: FloatArray  # (2l − 1)/(l − m)
    down: FloatArray  # (l + m − 1)/(l − m)
    start: FloatArray  # (2m − 1)!!
    first: IndexArray  # where a block's moments start
    own_first: IndexArray
    at_one: FloatArray  # of each term, Σ_l a_l
    degree_of: IndexArray  # l of the k-th moment


class GpuTables(NamedTuple):
    """A potential in device memory.

    Few arrays, because each costs a kernel's start some time and some of its parameters' room: in
    place of an array ``functions``, ``extras`` and ``networks`` have the index where it starts in
    ``reals`` or ``wholes``. Rows of two-dimensional ones follow each other.
    """

    elements: int
    radii: int  # distinct cutoff radii
    width: int  # row of everything by function
    depth: int  # largest number of layers; row of everything by layer
    widest: int  # nodes of a hidden layer
    degrees: int  # row of the recursions' numbers
    functions: Any  # FunctionTables
    extras: Any  # MomentExtras
    networks: Any  # NetworkTables
    back: int  # weights, every layer's matrix transposed
    factor: int  # in ``doubles``, by element and function
    shift: int
    energy_unit: Any
    reals: DeviceArray
    wholes: DeviceArray
    doubles: DeviceArray


class Sizes(NamedTuple):
    """How much room a potential's tables take, in words."""

    elements: int
    functions: int
    moments: int
    own: int
    space: int
    rows: int


def gpu_tables(functions: FunctionTables, networks: NetworkTables, unit: float) -> GpuTables:
    """Return a potential's tables as the kernels want them, still in the host's memory.

    Args:
        functions: its symmetry functions.
        networks: its networks.
        unit: of the networks' outputs, eV.
    """
    elements, width = functions.low.shape
    extras, _, _ = moment_extras(functions.moments, elements)
    # A function in single precision is right to seven digits: rounding is no extrapolation.
    margin = ROUNDING * np.maximum(np.abs(functions.low), np.abs(functions.high))
    widened = functions._replace(low=functions.low - margin, high=functions.high + margin)
    reals: list[NDArray[np.float32]] = [np.zeros(1, dtype=np.float32)]
    wholes: list[NDArray[np.int32]] = [np.zeros(1, dtype=np.int32)]
    return GpuTables(
        elements=elements,
        radii=len(functions.cutoffs.radius),
        width=width,
        depth=networks.activations.shape[1],
        widest=widest_hidden(networks),
        degrees=len(extras.start),
        functions=_packed(widened, reals, wholes),
        extras=_packed(extras, reals, wholes),
        networks=_packed(networks, reals, wholes),
        back=_packed(_transposed(networks), reals, wholes),
        factor=0,
        shift=networks.factor.size,
        energy_unit=np.float32(unit),
        reals=np.concatenate(reals),
        wholes=np.concatenate(wholes),
        doubles=np.concatenate([networks.factor.ravel(), networks.shift.ravel()]),
    )


def _transposed(networks: NetworkTables) -> NDArray[np.float64]:
    """Return the weights with every layer's matrix transposed, in the same places."""
    back = networks.weights.copy()
    for element, layers in enumerate(networks.layers):
        for layer in range(layers):
            before, after = networks.sizes[element, layer : layer + 2]
            start = networks.weight_start[element, layer]
            matrix = networks.weights[start : start + before * after].reshape(before, after)
            back[start : start + before * after] = matrix.T.ravel()
    return back


def on_device(tables: Any) -> Any:
    """Copy every array of (nested) tables to the device."""
    if isinstance(tables, tuple):
        return type(tables)(*(on_device(part) for part in tables))
    return cuda.to_device(tables) if isinstance(tables, np.ndarray) else tables


def _packed(value: Any, reals: list[NDArray[np.float32]], wholes: list[NDArray[np.int32]]) -> Any:
    """Append every array of (nested) tables to one of the lists; return where each starts."""
    if isinstance(value, tuple):
        return type(value)(*(_packed(part, reals, wholes) for part in value))
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "f":
        start = sum(part.size for part in reals)
        reals.append(value.astype(np.float32).ravel())
        return start
    start = sum(part.size for part in wholes)
    wholes.append(value.astype(np.int32).ravel())
    return start


def moment_extras(tables: MomentTables, elements: int) -> tuple[MomentExtras, int, int]:
    """Return the recursions' numbers and the room for moments and for `Layout.own`, in words.

    An atom only needs the blocks of its own element, so the places of other elements' blocks
    may be the same.
    """
    degree = int(tables.degree.max(initial=0))
    norms, up, down = np.zeros((3, degree + 2, degree + 2))
    start = np.ones(degree + 2)
    for m in range(1, degree + 2):
        start[m] = start[m - 1] * (2 * m - 1)
    for l in range(degree + 2):  # noqa: E741
        ratio = 1.0
        norms[l, 0] = 1.0
        for m in range(l):
            up[l, m], down[l, m] = (2 * l - 1) / (l - m), (l + m - 1) / (l - m)
        for m in range(1, l + 1):
            # 2 (l − m)!/(l + m)!
            ratio /= (l + m) * (l - m + 1.0)
            norms[l, m] = np.sqrt(2.0 * ratio)
    first, own_first = np.zeros((2, len(tables.degree)), dtype=np.int64)
    most = most_own = 0
    for center in range(elements):
        place = own = 0
        for block in range(tables.block_first[center], tables.block_first[center + 1]):
            first[block], own_first[block] = place, own
            radials = int(tables.radial_first[block + 1] - tables.radial_first[block])
            place += elements * radials * (int(tables.degree[block]) + 1) ** 2
            own += elements * radials
        most, most_own = max(most, place), max(most_own, own)
    at_one = tables.legendre.sum(axis=1)
    degree_of = np.floor(np.sqrt(np.arange((degree + 1) ** 2) + 0.5)).astype(np.int64)
    extras = MomentExtras(norms.T, up.T, down.T, start, first, own_first, at_one, degree_of)
    return extras, most, most_own


def table_sizes(functions: FunctionTables, networks: NetworkTables) -> Sizes:
    """Return the room that a potential's tables need for each group of lanes."""
    elements = len(functions.counts)
    moments, pairs = functions.moments, functions.pairs
    _, most, most_own = moment_extras(moments, elements)
    degree = int(moments.degree.max(initial=0))
    radials = int(np.diff(moments.radial_first).max(initial=0))
    stage = ((degree + 1) ** 2 + 2 * radials) * ROW if len(moments.degree) else 0
    ends = pairs.term_first[pairs.exponential_first]
    terms = int(np.diff(ends).max(initial=0)) * LANES
    layers = networks.activations.shape[1]
    net = (layers + 2) * widest_hidden(networks)
    return Sizes(
        elements,
        functions.low.shape[1],
        most,
        most_own,
        max(stage, terms, net),
        VALUES + 2 * len(functions.cutoffs.radius),
    )


def widest_hidden(networks: NetworkTables) -> int:
    """Return the largest number of nodes behind the inputs."""
    return int(networks.sizes[:, 1:].max())


def layout_for(sizes: Sizes, neighbors: int) -> Layout:
    """Return where everything lies when no atom has more neighbours than so many.

    Raises:
        InvalidInput: one group's tables don't fit into shared memory.
    """
    room = max(neighbors, 1)
    places = []
    end = sizes.rows * room
    for words in (
        sizes.elements + 1,
        sizes.functions,
        sizes.functions,
        sizes.moments,
        sizes.moments,
        sizes.own,
        sizes.space,
    ):
        places.append(end)
        end += words
    if 4 * end > SHARED_BYTES:
        raise InvalidInput(
            "structure",
            f"{neighbors} neighbours of an atom, which take {4 * end} bytes",
            f"at most {SHARED_BYTES} bytes on a GPU",
        )
    return Layout(end, room, *places)


def groups_per_block(layout: Layout) -> int:
    """Return how many groups of lanes a block can have."""
    return max(1, min(MOST_GROUPS, SHARED_BYTES // (4 * layout.words)))
