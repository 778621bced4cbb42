"""One atom's network: lanes share the nodes of a layer."""

from __future__ import annotations

from mlmd.hdnnp.gpu.kernel_moments import Words
from mlmd.hdnnp.gpu.lanes import LANES, device_function, sync_lanes
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
    for q in range(lane, t.wholes[networks.sizes + element * (t.depth + 1) + 0], LANES):
        # A function's mean may be a thousand times its spread: scaled in double precision.
        s[inputs + q] = F32(
            s[functions + q] * t.doubles[t.factor + element * t.width + q]
            + t.doubles[t.shift + element * t.width + q]
        )
    sync_lanes()
    # Two rows of values that take turns, then a row of slopes for every layer.
    below = inputs
    above = base + here.space
    slopes = above + 2 * t.widest
    for layer in range(t.wholes[networks.layers + element]):
        before = t.wholes[networks.sizes + element * (t.depth + 1) + layer]
        after = t.wholes[networks.sizes + element * (t.depth + 1) + layer + 1]
        weights = t.wholes[networks.weight_start + element * t.depth + layer]
        for k in range(lane, after, LANES):
            total = t.reals[
                networks.biases + t.wholes[networks.bias_start + element * t.depth + layer] + k
            ]
            for q in range(before):
                total += t.reals[networks.weights + weights + q * after + k] * s[below + q]
            value, slope = activation_pair(
                t.wholes[networks.activations + element * t.depth + layer], total
            )
            s[above + k] = value
            s[slopes + layer * t.widest + k] = slope
        sync_lanes()
        below = above
        above = base + here.space + ((layer + 1) % 2) * t.widest
    energy: float = s[below]
    return energy


@device_function
def network_gradient(
    t: GpuTables, element: int, lane: int, here: Layout, base: int, s: Words
) -> None:
    """Fill the row of dE/dG, after `network_energy` of the same atom."""
    networks = t.networks
    slopes = base + here.space + 2 * t.widest
    for layer in range(t.wholes[networks.layers + element] - 1, -1, -1):
        before = t.wholes[networks.sizes + element * (t.depth + 1) + layer]
        after = t.wholes[networks.sizes + element * (t.depth + 1) + layer + 1]
        weights = t.wholes[networks.weight_start + element * t.depth + layer]
        row = slopes + layer * t.widest
        for q in range(lane, before, LANES):
            total = ZERO
            for k in range(after):
                total += t.reals[t.back + weights + k * before + q] * s[row + k]
            if layer > 0:
                s[row - t.widest + q] *= total
            else:
                s[base + here.gradient + q] = F32(
                    total * t.doubles[t.factor + element * t.width + q]
                )
        sync_lanes()
