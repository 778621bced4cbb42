"""One atom's network: lanes share the nodes of a layer."""

from __future__ import annotations

from mlmd.hdnnp.gpu.kernel_moments import Words
from mlmd.hdnnp.gpu.lanes import LANES, at, device_function, sync_lanes
from mlmd.hdnnp.gpu.layout import GpuTables, Layout
from mlmd.hdnnp.gpu.math32 import F32, ZERO, activation_pair


@device_function
def network_energy(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words
) -> float:
    """Return the network's output, keeping the activations' slopes for the way back."""
    networks = t.networks
    functions = base + here.functions
    inputs = base + here.gradient
    for q in range(lane, t.wholes[at(networks.sizes + element * (t.depth + 1) + 0)], LANES):
        # A function's mean may be a thousand times its spread: scaled in double precision.
        s[at(inputs + q)] = F32(
            s[at(functions + q)] * t.doubles[at(t.factor + element * t.width + q)]
            + t.doubles[at(t.shift + element * t.width + q)]
        )
    sync_lanes()
    # Two rows of values that take turns, then a row of slopes for every layer.
    below = inputs
    above = base + here.space
    slopes = above + 2 * t.widest
    for layer in range(t.wholes[at(networks.layers + element)]):
        before = t.wholes[at(networks.sizes + element * (t.depth + 1) + layer)]
        after = t.wholes[at(networks.sizes + element * (t.depth + 1) + layer + 1)]
        weights = t.wholes[at(networks.weight_start + element * t.depth + layer)]
        for k in range(lane, after, LANES):
            bias = networks.biases + t.wholes[at(networks.bias_start + element * t.depth + layer)]
            total = t.reals[at(bias + k)]
            total += _weighted(t, networks.weights + weights + k, after, below, before, s)
            value, slope = activation_pair(
                t.wholes[at(networks.activations + element * t.depth + layer)], total
            )
            s[at(above + k)] = value
            s[at(slopes + layer * t.widest + k)] = slope
        sync_lanes()
        below = above
        above = base + here.space + ((layer + 1) % 2) * t.widest
    energy: float = s[at(below)]
    return energy


@device_function
def network_gradient(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words
) -> None:
    """Fill the row of dE/dG, after `network_energy` of the same atom."""
    networks = t.networks
    slopes = base + here.space + 2 * t.widest
    for layer in range(t.wholes[at(networks.layers + element)] - 1, -1, -1):
        before = t.wholes[at(networks.sizes + element * (t.depth + 1) + layer)]
        after = t.wholes[at(networks.sizes + element * (t.depth + 1) + layer + 1)]
        weights = t.wholes[at(networks.weight_start + element * t.depth + layer)]
        row = slopes + layer * t.widest
        for q in range(lane, before, LANES):
            total = _weighted(t, t.back + weights + q, before, row, after, s)
            if layer > 0:
                s[at(row - t.widest + q)] *= total
            else:
                s[at(base + here.gradient + q)] = F32(
                    total * t.doubles[at(t.factor + element * t.width + q)]
                )
        sync_lanes()


@device_function
def _weighted(t: GpuTables, weight: int, step: int, row: int, n: int, s: Words) -> float:
    """Return the scalar product of n numbers of a row with weights ``step`` apart."""
    total = ZERO
    stop = row + n
    while row < stop:
        total += t.reals[at(weight)] * s[at(row)]
        weight += step
        row += 1
    return total
