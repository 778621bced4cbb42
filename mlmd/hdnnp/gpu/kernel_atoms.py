"""The whole way of one atom: neighbours, functions, network, forces; one group of lanes each.

Forces are added up as whole numbers of 2⁻³² eV/Å: their order then makes no difference, so the
same input gives the same bits, and a sum of many loses nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import cuda, float32, int32

from mlmd.hdnnp.gpu.kernel_moments import Words, moment_functions, moment_gradient, moment_pull
from mlmd.hdnnp.gpu.kernel_network import network_energy, network_gradient
from mlmd.hdnnp.gpu.kernel_pairs import (
    pair_functions,
    pair_gradient,
    radial_functions,
    radial_gradient,
)
from mlmd.hdnnp.gpu.lanes import (
    LANES,
    at,
    device_function,
    device_kernel,
    lane_count,
    lane_rank,
    lane_sum,
    sync_lanes,
)
from mlmd.hdnnp.gpu.layout import (
    ALONG,
    CODE,
    DX,
    DY,
    DZ,
    GX,
    GY,
    GZ,
    INVERSE_R,
    VALUES,
    DeviceArray,
    GpuTables,
    Layout,
    R,
)
from mlmd.hdnnp.gpu.math32 import F32, ONE, ZERO, cutoff_pair
from mlmd.hdnnp.kernel_atoms import ENERGIES, FORCES, FUNCTIONS

# Forces and virials in device memory are whole numbers of this many eV/Å or eV.
UNIT = 2.0**-32
PER_UNIT = F32(2.0**32)
# Larger numbers mean atoms on top of each other; the sums could not hold many of them.
LARGEST = F32(1e6)
VIRIAL_SLOTS = 256
# Bits of `DeviceResults.counts[1]`.
TOO_CLOSE, TOO_LARGE = 1, 2
CLOSE = F32(1e-16)


class Around(NamedTuple):
    """Atoms sorted in space and who is near whom; see `mlmd.hdnnp.gpu.lists`.

    Args:
        positions: shape (N, 3), Å, double precision: a small difference of large numbers.
        elements: shape (N,).
        order: shape (N,), original index of each sorted atom.
        first: shape (N·elements + 1,), where neighbours of one element start.
        codes: sorted atom and lattice shift of each neighbour, ``atom << bits | shift``.
        shifts: shape (shifts, 3), Å.
        bits: how many the shift takes.
    """

    positions: DeviceArray
    elements: DeviceArray
    order: DeviceArray
    first: DeviceArray
    codes: DeviceArray
    shifts: DeviceArray
    bits: int


class DeviceResults(NamedTuple):
    """Where results go.

    Args:
        energies: single precision; network outputs in the original order, shape (N,).
        forces: shape (N, 3), sorted order, 64-bit whole numbers of `UNIT`.
        virial: −Σ F r as xx, yy, zz, yz, xz, xy, in several parts, shape (VIRIAL_SLOTS, 6).
        functions: symmetry functions in the original order, shape (N, functions) or (1, 1).
        outside: extrapolations: original atom, function; shape (capacity, 2).
        outside_values: shape (capacity,).
        counts: number of extrapolations; bits of what went wrong.
    """

    energies: DeviceArray
    forces: DeviceArray
    virial: DeviceArray
    functions: DeviceArray
    outside: DeviceArray
    outside_values: DeviceArray
    counts: DeviceArray


@device_kernel
def clear_results(results: DeviceResults) -> None:
    """Set sums and counts to zero."""
    start = cuda.grid(1)
    for i in range(start, results.forces.shape[0], cuda.gridsize(1)):
        for axis in range(3):
            results.forces[i, axis] = 0
    for slot in range(start, results.virial.shape[0], cuda.gridsize(1)):
        for part in range(6):
            results.virial[slot, part] = 0
    if start == 0:
        results.counts[0] = 0
        results.counts[1] = 0


@device_kernel
def evaluate_atoms(
    t: GpuTables, around: Around, here: Layout, depth: int, results: DeviceResults
) -> None:
    """Evaluate all atoms; ``depth`` as of `mlmd.hdnnp.kernel_atoms`."""
    s = cuda.shared.array(0, float32)
    whole = cuda.shared.array(0, int32)
    lane = cuda.threadIdx.x
    base = cuda.threadIdx.y * here.words
    moments = t.functions.moments
    stride = cuda.gridDim.x * cuda.blockDim.y
    for i in range(
        cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y, around.order.shape[0], stride
    ):
        element = around.elements[i]
        for q in range(lane, t.wholes[at(t.functions.counts + element)], LANES):
            s[at(base + here.functions + q)] = ZERO
        n, close = _gather(t, i, lane, around, here, base, s, whole)
        if close and lane == 0:
            cuda.atomic.or_(results.counts, 1, TOO_CLOSE)
        radial_functions(t, element, lane, here, base, s, whole)
        pair_functions(t, element, lane, here, base, s, whole)
        for block in range(
            t.wholes[at(moments.block_first + element)],
            t.wholes[at(moments.block_first + element + 1)],
        ):
            moment_functions(t, block, lane, here, base, s, whole)
        _keep_functions(t, i, element, lane, around, here, base, s, depth, results)
        if depth >= ENERGIES:
            energy = network_energy(t, element, lane, here, base, s)
            if lane == 0:
                results.energies[around.order[i]] = energy
        if depth == FORCES:
            network_gradient(t, element, lane, here, base, s)
            radial_gradient(t, element, lane, here, base, s, whole)
            pair_gradient(t, element, lane, here, base, s, whole)
            for block in range(
                t.wholes[at(moments.block_first + element)],
                t.wholes[at(moments.block_first + element + 1)],
            ):
                moment_pull(t, block, lane, here, base, s)
                moment_gradient(t, block, lane, here, base, s, whole)
            sync_lanes()
            _add_forces(t, i, n, lane, around.bits, here, base, s, whole, results)
        sync_lanes()


@device_function
def _gather(
    t: GpuTables,
    i: int,
    lane: int,
    around: Around,
    here: Layout,
    base: int,
    s: Words,
    whole: Words,
) -> tuple[int, bool]:
    """Collect the neighbours within the largest cutoff, by element; return their number."""
    cutoffs = t.functions.cutoffs
    farthest = t.reals[at(cutoffs.radius + t.radii - 1)]
    x = around.positions[at(i), 0]
    y = around.positions[at(i), 1]
    z = around.positions[at(i), 2]
    n = 0
    close = False
    for e in range(t.elements):
        if lane == 0:
            whole[at(base + here.segments + e)] = n
        stop = around.first[i * t.elements + e + 1]
        for chunk in range(around.first[i * t.elements + e], stop, LANES):
            inside = False
            code = 0
            u, v, w, square = ZERO, ZERO, ZERO, ZERO
            if chunk + lane < stop:
                code = around.codes[at(chunk + lane)]
                j = code >> around.bits
                shift = code & ((1 << around.bits) - 1)
                u = F32(around.positions[at(j), 0] + around.shifts[at(shift), 0] - x)
                v = F32(around.positions[at(j), 1] + around.shifts[at(shift), 1] - y)
                w = F32(around.positions[at(j), 2] + around.shifts[at(shift), 2] - z)
                square = u * u + v * v + w * w
                inside = square < farthest * farthest
                if square < CLOSE:
                    close = True
            rank = lane_rank(inside, lane)
            found = lane_count(inside)
            if inside:
                a = base + n + rank
                s[at(a + DX * here.room)] = u
                s[at(a + DY * here.room)] = v
                s[at(a + DZ * here.room)] = w
                r = math.sqrt(max(square, CLOSE))
                s[at(a + R * here.room)] = r
                s[at(a + INVERSE_R * here.room)] = ONE / r
                whole[at(a + CODE * here.room)] = code
                for row in range(ALONG, GZ + 1):
                    s[at(a + row * here.room)] = ZERO
                for c in range(t.radii):
                    value, slope = cutoff_pair(
                        cutoffs.kind,
                        t.reals[at(cutoffs.inner + c)],
                        t.reals[at(cutoffs.inverse_width + c)],
                        r,
                    )
                    s[at(a + (VALUES + 2 * c) * here.room)] = value
                    s[at(a + (VALUES + 2 * c + 1) * here.room)] = slope
            n += found
    if lane == 0:
        whole[at(base + here.segments + t.elements)] = n
    close = lane_count(close) > 0
    sync_lanes()
    return n, close


@device_function
def _keep_functions(
    t: GpuTables,
    i: int,
    element: int,
    lane: int,
    around: Around,
    here: Layout,
    base: int,
    s: Words,
    depth: int,
    results: DeviceResults,
) -> None:
    """Store the functions where asked, and note those outside the training data's range."""
    atom = around.order[i]
    for q in range(lane, t.wholes[at(t.functions.counts + element)], LANES):
        g = s[at(base + here.functions + q)]
        if depth == FUNCTIONS:
            results.functions[atom, q] = g
        if (
            g < t.reals[at(t.functions.low + element * t.width + q)]
            or g > t.reals[at(t.functions.high + element * t.width + q)]
        ):
            slot = cuda.atomic.add(results.counts, 0, 1)
            if slot < results.outside.shape[0]:
                results.outside[slot, 0] = atom
                results.outside[slot, 1] = q
                results.outside_values[slot] = g


@device_function
def _add_forces(
    t: GpuTables,
    i: int,
    n: int,
    lane: int,
    bits: int,
    here: Layout,
    base: int,
    s: Words,
    whole: Words,
    results: DeviceResults,
) -> None:
    """Give each neighbour its force and the atom what balances it; add up −F r."""
    room = here.room
    fx, fy, fz = np.int64(0), np.int64(0), np.int64(0)
    xx, yy, zz, yz, xz, xy = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    large = False
    for a in range(base + lane, base + n, LANES):
        along = s[at(a + ALONG * room)]
        x = s[at(a + DX * room)]
        y = s[at(a + DY * room)]
        z = s[at(a + DZ * room)]
        u = t.energy_unit * (along * x + s[at(a + GX * room)])
        v = t.energy_unit * (along * y + s[at(a + GY * room)])
        w = t.energy_unit * (along * z + s[at(a + GZ * room)])
        xx += u * x
        yy += v * y
        zz += w * z
        yz += v * z
        xz += u * z
        xy += u * y
        if abs(u) + abs(v) + abs(w) > LARGEST:
            large = True
        else:
            j = whole[at(a + CODE * room)] >> bits
            ux, uy, uz = np.int64(u * PER_UNIT), np.int64(v * PER_UNIT), np.int64(w * PER_UNIT)
            cuda.atomic.add(results.forces, (at(j), 0), -ux)
            cuda.atomic.add(results.forces, (at(j), 1), -uy)
            cuda.atomic.add(results.forces, (at(j), 2), -uz)
            fx += ux
            fy += uy
            fz += uz
    fx, fy, fz = lane_sum(fx), lane_sum(fy), lane_sum(fz)
    xx, yy, zz = lane_sum(xx), lane_sum(yy), lane_sum(zz)
    yz, xz, xy = lane_sum(yz), lane_sum(xz), lane_sum(xy)
    if large:
        cuda.atomic.or_(results.counts, 1, TOO_LARGE)
    if lane == 0:
        cuda.atomic.add(results.forces, (at(i), 0), fx)
        cuda.atomic.add(results.forces, (at(i), 1), fy)
        cuda.atomic.add(results.forces, (at(i), 2), fz)
        slot = i % VIRIAL_SLOTS
        cuda.atomic.add(results.virial, (slot, 0), np.int64(xx * PER_UNIT))
        cuda.atomic.add(results.virial, (slot, 1), np.int64(yy * PER_UNIT))
        cuda.atomic.add(results.virial, (slot, 2), np.int64(zz * PER_UNIT))
        cuda.atomic.add(results.virial, (slot, 3), np.int64(yz * PER_UNIT))
        cuda.atomic.add(results.virial, (slot, 4), np.int64(xz * PER_UNIT))
        cuda.atomic.add(results.virial, (slot, 5), np.int64(xy * PER_UNIT))
