"""Networks as the trainer sees them: flat weights, and derivatives of forces by weights.

For one atom with inputs G: h_0 = G, z_l = h_{l−1} W_l + b_l, h_l = f_l(z_l), E = h_L.
Backwards: c_L = 1, δ_l = f'_l(z_l) c_l, c_{l−1} = δ_l W_lᵀ; D = ∂E/∂G = c_0.

A force component is −Σ D·∂G/∂r = Σ D·v with v = −∂G/∂r. Its derivative by the weights takes
one tangent sweep along v and one more backward sweep, never a second derivative per function:

    ḣ_0 = v,  ż_l = ḣ_{l−1} W_l,  ḣ_l = f'_l ż_l
    ζ_L = f''_L ż_L,  ζ_l = f''_l ż_l c_l + f'_l (ζ_{l+1} W_{l+1}ᵀ)
    ∂(D·v)/∂W_l = h_{l−1} ⊗ ζ_l + ḣ_{l−1} ⊗ δ_l,  ∂(D·v)/∂b_l = ζ_l
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import Activation, ElementNetwork

IntArray = NDArray[np.int64]
Triple = tuple[FloatArray, FloatArray, FloatArray]


def _tanh(z: FloatArray) -> Triple:
    h = np.tanh(z)
    slope = 1.0 - h * h
    return h, slope, -2.0 * h * slope


def _softplus(z: FloatArray) -> Triple:
    e = np.exp(-np.abs(z))
    slope = np.where(z > 0.0, 1.0, e) / (1.0 + e)
    return np.maximum(z, 0.0) + np.log1p(e), slope, slope * (1.0 - slope)


def _logistic(z: FloatArray) -> Triple:
    h = _softplus(z)[1]
    slope = h * (1.0 - h)
    return h, slope, slope * (1.0 - 2.0 * h)


def _gaussian(z: FloatArray) -> Triple:
    h = np.exp(-0.5 * z * z)
    return h, -z * h, (z * z - 1.0) * h


def _linear(z: FloatArray) -> Triple:
    return z, np.ones_like(z), np.zeros_like(z)


SMOOTH_ACTIVATIONS: dict[Activation, Callable[[FloatArray], Triple]] = {
    Activation.TANH: _tanh,
    Activation.SOFTPLUS: _softplus,
    Activation.LOGISTIC: _logistic,
    Activation.GAUSSIAN: _gaussian,
    Activation.LINEAR: _linear,
}
"""Function, first and second derivative; forces need both to be continuous."""


@dataclass(frozen=True)
class Sweep:
    """What one forward and one backward sweep leave behind; lists run over layers.

    Args:
        inputs: h_{l−1}, shape (A, nodes before).
        slopes: f'_l, shape (A, nodes).
        curvatures: f''_l, shape (A, nodes).
        incoming: c_l, shape (A, nodes).
        deltas: δ_l, shape (A, nodes).
        energies: shape (A,), network units.
        input_gradient: D, shape (A, S).
    """

    inputs: list[FloatArray]
    slopes: list[FloatArray]
    curvatures: list[FloatArray]
    incoming: list[FloatArray]
    deltas: list[FloatArray]
    energies: FloatArray
    input_gradient: FloatArray


class FlatNetwork:
    """The shape of one element's network; its weights live in a slice of one long vector.

    Args:
        nodes: inputs, hidden layers, 1.
        activation: of the hidden layers; the output is linear.
        start: where its weights begin in the vector.
    """

    def __init__(self, nodes: tuple[int, ...], activation: Activation, start: int = 0) -> None:
        self.nodes, self.activation, self.start = nodes, activation, start
        self.activations = (activation,) * (len(nodes) - 2) + (Activation.LINEAR,)
        self.layers: list[tuple[int, int, int, int]] = []  # weights' start, biases' start, in, out
        at = start
        for before, after in pairwise(nodes):
            self.layers.append((at, at + before * after, before, after))
            at += (before + 1) * after
        self.end = at

    def initial(self, generator: np.random.Generator) -> FloatArray:
        """Return random weights, uniform within ±√(6/(before + after)), biases zero.

        Source: Glorot, Bengio, Proc. AISTATS 9, 249 (2010).
        """
        parts = []
        for _, _, before, after in self.layers:
            limit = np.sqrt(6.0 / (before + after))
            parts += [generator.uniform(-limit, limit, before * after), np.zeros(after)]
        return np.concatenate(parts)

    def matrices(self, weights: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return (W, b) of every layer as views into the long vector."""
        return [
            (weights[w:b].reshape(before, after), weights[b : b + after])
            for w, b, before, after in self.layers
        ]

    def export(self, weights: FloatArray) -> ElementNetwork:
        """Return the network as a part of a potential."""
        pairs = self.matrices(weights)
        return ElementNetwork(
            tuple(w.copy() for w, _ in pairs), tuple(b.copy() for _, b in pairs), self.activations
        )

    def sweep(self, weights: FloatArray, inputs: FloatArray) -> Sweep:
        """Run forward and backward.

        Args:
            weights: the long vector.
            inputs: scaled symmetry functions, shape (A, S).
        """
        pairs = self.matrices(weights)
        h, befores, slopes, curvatures = inputs, [], [], []
        for (w, b), activation in zip(pairs, self.activations, strict=True):
            befores.append(h)
            h, slope, curvature = SMOOTH_ACTIVATIONS[activation](h @ w + b)
            slopes.append(slope)
            curvatures.append(curvature)
        c, incoming, deltas = np.ones_like(h), [], []
        for (w, _), slope in zip(reversed(pairs), reversed(slopes), strict=True):
            incoming.append(c)
            deltas.append(slope * c)
            c = deltas[-1] @ w.T
        return Sweep(
            befores, slopes, curvatures, incoming[::-1], deltas[::-1], h[:, 0], np.asarray(c)
        )

    def add_energy_rows(self, sweep: Sweep, rows: IntArray, jacobian: FloatArray) -> None:
        """Add ∂E/∂w of every atom to the row of its frame.

        Args:
            sweep: of this element's atoms.
            rows: row of each atom's frame, shape (A,), ascending.
            jacobian: shape (rows, weights), changed in place.
        """
        first, kept = _segments(rows)
        atoms = np.arange(len(rows))
        for (w, b, _, _), h, delta in zip(self.layers, sweep.inputs, sweep.deltas, strict=True):
            nothing = np.zeros((len(rows), 0))
            _add_outer(jacobian, w, b, first, kept, atoms, h, delta, nothing, delta)

    def add_force_rows(
        self,
        weights: FloatArray,
        sweep: Sweep,
        rows: IntArray,
        atoms: IntArray,
        directions: FloatArray,
        jacobian: FloatArray,
    ) -> None:
        """Add ∂(D·v)/∂w of every (force component, atom that feels it) to the component's row.

        Args:
            weights: the long vector.
            sweep: of this element's atoms.
            rows: the force component's row, shape (K,), ascending.
            atoms: row of the sweep that v belongs to, shape (K,).
            directions: v = −∂G/∂r, shape (K, S).
            jacobian: shape (rows, weights), changed in place.
        """
        pairs = self.matrices(weights)
        tangents, z_dots = [directions], []
        for (w, _), slope in zip(pairs, sweep.slopes, strict=True):
            z_dots.append(tangents[-1] @ w)
            tangents.append(slope[atoms] * z_dots[-1])
        first, kept = _segments(rows)
        passed: FloatArray | None = None
        for layer in range(len(pairs) - 1, -1, -1):
            zeta = (sweep.curvatures[layer] * sweep.incoming[layer])[atoms] * z_dots[layer]
            if passed is not None:
                zeta += sweep.slopes[layer][atoms] * passed
            w_at, b_at, _, _ = self.layers[layer]
            _add_outer(
                jacobian, w_at, b_at, first, kept, atoms,
                sweep.inputs[layer], zeta, tangents[layer], sweep.deltas[layer],
            )  # fmt: skip
            passed = zeta @ pairs[layer][0].T

    def add_gradient(
        self,
        weights: FloatArray,
        sweep: Sweep,
        factors: FloatArray,
        directions: FloatArray,
        gradient: FloatArray,
    ) -> None:
        """Add Σ factor·∂E/∂w + Σ ∂(D·v)/∂w over all atoms of a sweep.

        Args:
            weights: the long vector.
            sweep: of this element's atoms.
            factors: of every atom's energy, shape (A,).
            directions: v, shape (A, S).
            gradient: shape (weights,), changed in place.
        """
        pairs = self.matrices(weights)
        tangents, z_dots = [directions], []
        for (w, _), slope in zip(pairs, sweep.slopes, strict=True):
            z_dots.append(tangents[-1] @ w)
            tangents.append(slope * z_dots[-1])
        passed: FloatArray | None = None
        sums = self.matrices(gradient)
        for layer in range(len(pairs) - 1, -1, -1):
            zeta = sweep.curvatures[layer] * sweep.incoming[layer] * z_dots[layer]
            if passed is not None:
                zeta += sweep.slopes[layer] * passed
            both = zeta + sweep.deltas[layer] * factors[:, None]
            sums[layer][0][:] += sweep.inputs[layer].T @ both
            sums[layer][0][:] += tangents[layer].T @ sweep.deltas[layer]
            sums[layer][1][:] += both.sum(axis=0)
            passed = zeta @ pairs[layer][0].T


def _segments(rows: IntArray) -> tuple[IntArray, IntArray]:
    """Return (first, row): entries first[k] to first[k + 1] belong to row[k]."""
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]]) if len(rows) else np.zeros(0, int)
    return np.append(starts, len(rows)).astype(np.int64), rows[starts]


@kernel
def _add_outer(
    jacobian: FloatArray,
    w_at: int,
    b_at: int,
    first: IntArray,
    kept: IntArray,
    atoms: IntArray,
    h: FloatArray,
    zeta: FloatArray,
    h_dot: FloatArray,
    delta: FloatArray,
) -> None:
    """Add h[atom] ⊗ ζ + ḣ ⊗ δ[atom] and ζ of every entry to its row."""
    n_in, n_out = h.shape[1], zeta.shape[1]
    for s in range(len(kept)):
        block = jacobian[kept[s], w_at : w_at + n_in * n_out].reshape(n_in, n_out)
        biases = jacobian[kept[s], b_at : b_at + n_out]
        for k in range(first[s], first[s + 1]):
            a = atoms[k]
            z, d = zeta[k], delta[a]
            for i in range(n_in):
                x = h[a, i]
                row = block[i]
                if h_dot.shape[1] > 0:
                    y = h_dot[k, i]
                    for o in range(n_out):
                        row[o] += x * z[o] + y * d[o]
                else:
                    for o in range(n_out):
                        row[o] += x * z[o]
            for o in range(n_out):
                biases[o] += z[o]
