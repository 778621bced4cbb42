"""One element's feed-forward network for one atom: forwards, and back to its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import subkernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.kernel_math import activate, activation_number
from mlmd.hdnnp.potential import ElementNetwork, Potential

IndexArray = NDArray[np.int64]


class NetworkTables(NamedTuple):
    """All networks in flat arrays.

    Weights of a layer are stored row by row (nodes before, nodes after); scaling and the
    normalisation of nodes are already inside.
    """

    sizes: IndexArray  # (elements, layers + 1), 0 beyond the last
    layers: IndexArray  # (elements,)
    activations: IndexArray  # (elements, layers)
    weight_start: IndexArray  # (elements, layers)
    bias_start: IndexArray  # (elements, layers)
    weights: FloatArray
    biases: FloatArray
    factor: FloatArray  # (elements, functions)
    shift: FloatArray  # (elements, functions)


def network_tables(potential: Potential) -> NetworkTables:
    """Flatten a potential's networks and scaling."""
    p = potential
    scaling = [
        p.scaling[e].factors(p.scaling_mode, p.scale_minimum, p.scale_maximum) for e in p.elements
    ]
    return flatten_networks([p.networks[e] for e in p.elements], scaling, p.normalize_nodes)


def flatten_networks(
    networks: Sequence[ElementNetwork],
    scaling: Sequence[tuple[FloatArray, FloatArray]],
    normalize_nodes: bool,
) -> NetworkTables:
    """Flatten networks.

    Args:
        networks: of every element.
        scaling: of every element, factor and shift of its inputs, each shape (inputs,).
        normalize_nodes: every node's sum is divided by the number of nodes before it.
    """
    deepest = max(len(network.weights) for network in networks)
    widest = max(len(factor) for factor, _ in scaling)
    sizes = np.zeros((len(networks), deepest + 1), dtype=np.int64)
    layers = np.zeros(len(networks), dtype=np.int64)
    activations, weight_start, bias_start = (
        np.zeros((len(networks), deepest), dtype=np.int64) for _ in range(3)
    )
    factor, shift = np.zeros((2, len(networks), widest))
    weights: list[FloatArray] = []
    biases: list[FloatArray] = []
    ends = [0, 0]
    for index, network in enumerate(networks):
        layers[index] = len(network.weights)
        row = scaling[index]
        sizes[index, 0] = len(row[0])
        for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            divisor = float(len(w)) if normalize_nodes else 1.0
            sizes[index, layer + 1] = len(b)
            activations[index, layer] = activation_number(network.activations[layer])
            weight_start[index, layer], bias_start[index, layer] = ends
            weights.append(np.ascontiguousarray(w, dtype=np.float64).ravel() / divisor)
            biases.append(np.asarray(b, dtype=np.float64) / divisor)
            ends = [ends[0] + w.size, ends[1] + b.size]
        factor[index, : len(row[0])], shift[index, : len(row[1])] = row
    return NetworkTables(
        sizes,
        layers,
        activations,
        weight_start,
        bias_start,
        np.concatenate(weights),
        np.concatenate(biases),
        factor,
        shift,
    )


@subkernel
def network_energy(
    tables: NetworkTables,
    element: int,
    g: FloatArray,
    sums: FloatArray,
    values: FloatArray,
    slopes: FloatArray,
) -> float:
    """Return one atom's network output, in network units.

    Args:
        tables: all networks.
        element: which of them.
        g: raw symmetry functions, shape (S,).
        sums: workspace, shape (layers, widest).
        values: workspace, shape (layers + 1, widest).
        slopes: derivatives of the activations, shape (layers, widest); filled.
    """
    inputs = tables.sizes[element, 0]
    x = values[0]
    for s in range(inputs):
        x[s] = g[s] * tables.factor[element, s] + tables.shift[element, s]
    layers = tables.layers[element]
    for layer in range(layers):
        before = tables.sizes[element, layer]
        after = tables.sizes[element, layer + 1]
        start = tables.bias_start[element, layer]
        row = sums[layer, :after]
        bias = tables.biases[start : start + after]
        for k in range(row.shape[0]):
            row[k] = bias[k]
        start = tables.weight_start[element, layer]
        for s in range(before):
            w = tables.weights[start + s * after : start + (s + 1) * after]
            y = values[layer, s]
            for k in range(w.shape[0]):
                row[k] += y * w[k]
        activate(
            tables.activations[element, layer],
            row,
            values[layer + 1, :after],
            slopes[layer, :after],
        )
    return float(values[layers, 0])


@subkernel
def network_gradient(
    tables: NetworkTables,
    element: int,
    slopes: FloatArray,
    sums: FloatArray,
    gradient: FloatArray,
) -> None:
    """Fill gradient = dE/dG, shape (S,), after `network_energy` of the same atom.

    ``sums`` is overwritten: row n holds dE/d(sum) of layer n.
    """
    last = tables.layers[element] - 1
    sums[last, 0] = slopes[last, 0]
    for layer in range(last, -1, -1):
        before = tables.sizes[element, layer]
        after = tables.sizes[element, layer + 1]
        start = tables.weight_start[element, layer]
        row = sums[layer, :after]
        for s in range(before):
            w = tables.weights[start + s * after : start + (s + 1) * after]
            y = 0.0
            for k in range(w.shape[0]):
                y += w[k] * row[k]
            if layer > 0:
                sums[layer - 1, s] = y * slopes[layer - 1, s]
            else:
                gradient[s] = y * tables.factor[element, s]
