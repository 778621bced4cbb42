"""The networks of all elements on batches of prepared frames: values, errors, Jacobians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlmd.compiled import kernel
from mlmd.frame import FloatArray
from mlmd.hdnnp.potential import Activation
from mlmd.hdnnp.training.network import FlatNetwork, Sweep
from mlmd.hdnnp.training.store import PreparedFrame

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Prediction:
    """What the networks say of a batch.

    Args:
        energies: per frame, network units.
        forces: per frame, shape (3N,).
        virials: per frame, dE/dε, shape (6,) in Voigt's order.
        sweeps: per element, over the atoms of all frames.
        offsets: per element, where each frame's atoms begin, shape (frames + 1,).
    """

    energies: FloatArray
    forces: list[FloatArray]
    virials: list[FloatArray]
    sweeps: list[Sweep]
    offsets: list[IntArray]


class Model:
    """One network per element, all weights in one vector.

    Args:
        inputs: number of symmetry functions of each element.
        hidden: nodes of the hidden layers, the same for all elements.
        activation: of the hidden layers.
    """

    def __init__(
        self, inputs: Sequence[int], hidden: tuple[int, ...], activation: Activation
    ) -> None:
        self.networks: list[FlatNetwork] = []
        start = 0
        for count in inputs:
            network = FlatNetwork((count, *hidden, 1), activation, start)
            self.networks.append(network)
            start = network.end
        self.weight_count = start

    def initial(self, generator: np.random.Generator) -> FloatArray:
        """Return random weights of all elements."""
        return np.concatenate([network.initial(generator) for network in self.networks])

    def predict(
        self, weights: FloatArray, frames: Sequence[PreparedFrame], *, with_forces: bool = True
    ) -> Prediction:
        """Return energies, and forces and virials too, of a batch."""
        energies = np.zeros(len(frames))
        sweeps, offsets = [], []
        for e, network in enumerate(self.networks):
            counts = [len(frame.elements[e].scaled) for frame in frames]
            offset = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            inputs = np.concatenate([frame.elements[e].scaled for frame in frames])
            sweep = network.sweep(weights, inputs)
            energies += np.add.reduceat(np.append(sweep.energies, 0.0), offset[:-1]) * (
                np.diff(offset) > 0
            )
            sweeps.append(sweep)
            offsets.append(offset)
        forces, virials = [], []
        if with_forces:
            for k, frame in enumerate(frames):
                parts = [
                    sweep.input_gradient[offset[k] : offset[k + 1]]
                    for sweep, offset in zip(sweeps, offsets, strict=True)
                ]
                forces.append(frame.forces_from(parts))
                virials.append(frame.virial_from(parts))
        return Prediction(energies, forces, virials, sweeps, offsets)

    def energy_rows(self, prediction: Prediction, frames: int) -> FloatArray:
        """Return ∂E/∂w of every frame, shape (frames, weights)."""
        jacobian = np.zeros((frames, self.weight_count))
        for network, sweep, offset in zip(
            self.networks, prediction.sweeps, prediction.offsets, strict=True
        ):
            rows = np.repeat(np.arange(frames), np.diff(offset)).astype(np.int64)
            network.add_energy_rows(sweep, rows, jacobian)
        return jacobian

    def force_rows(
        self,
        weights: FloatArray,
        prediction: Prediction,
        frames: Sequence[PreparedFrame],
        components: Sequence[IntArray],
    ) -> FloatArray:
        """Return ∂F/∂w of chosen force components, shape (components, weights).

        Args:
            weights: the long vector.
            prediction: of these frames.
            frames: the batch.
            components: per frame, indices into its 3N force components.
        """
        jacobian = np.zeros((sum(map(len, components)), self.weight_count))
        for e, network in enumerate(self.networks):
            rows, atoms, directions, start = [], [], [], 0
            for frame, chosen, offset in zip(
                frames, components, prediction.offsets[e], strict=False
            ):
                part = frame.elements[e]
                row, pair = _pairs_of(chosen, part.moved_first, part.by_moved)
                rows.append(row + start)
                atoms.append(part.centers[pair] + offset)
                directions.append(-part.gradients[pair, chosen[row] % 3].astype(np.float64))
                start += len(chosen)
            if sum(map(len, rows)):
                network.add_force_rows(
                    weights, prediction.sweeps[e],
                    np.concatenate(rows), np.concatenate(atoms), np.concatenate(directions),
                    jacobian,
                )  # fmt: skip
        return jacobian

    def virial_rows(
        self,
        weights: FloatArray,
        prediction: Prediction,
        frames: Sequence[PreparedFrame],
        chosen: Sequence[int],
    ) -> FloatArray:
        """Return the derivatives by the weights of the virials of chosen frames of the batch.

        Returns:
            Shape (6 · len(chosen), weights): six rows for each chosen frame.
        """
        jacobian = np.zeros((6 * len(chosen), self.weight_count))
        for e, network in enumerate(self.networks):
            offset = prediction.offsets[e]
            rows, atoms, directions = [], [], []
            for place, k in enumerate(chosen):
                strains = frames[k].elements[e].strains
                rows.append(np.repeat(np.arange(6 * place, 6 * place + 6), len(strains)))
                atoms.append(np.tile(np.arange(offset[k], offset[k + 1]), 6))
                directions.append(strains.transpose(1, 0, 2).reshape(-1, strains.shape[2]))
            if sum(map(len, rows)):
                network.add_force_rows(
                    weights, prediction.sweeps[e], np.concatenate(rows), np.concatenate(atoms),
                    np.concatenate(directions).astype(np.float64), jacobian,
                )  # fmt: skip
        return jacobian

    def gradient(
        self,
        weights: FloatArray,
        prediction: Prediction,
        frames: Sequence[PreparedFrame],
        energies: FloatArray,
        forces: Sequence[FloatArray],
        virials: Sequence[FloatArray],
    ) -> FloatArray:
        """Return Σ a ∂E/∂w + Σ b·∂F/∂w + Σ c·∂W/∂w over a batch, shape (weights,).

        Args:
            weights: the long vector.
            prediction: of these frames.
            frames: the batch.
            energies: a of every frame, shape (frames,).
            forces: b of every frame, shape (3N,).
            virials: c of every frame, shape (6,).
        """
        total = np.zeros(self.weight_count)
        for e, network in enumerate(self.networks):
            offset = prediction.offsets[e]
            factors = np.repeat(energies, np.diff(offset))
            directions = [
                frame.elements[e].pushed(force, virial)
                for frame, force, virial in zip(frames, forces, virials, strict=True)
            ]
            network.add_gradient(
                weights, prediction.sweeps[e], factors, np.concatenate(directions), total
            )
        return total


@kernel
def _pairs_of(
    components: IntArray, moved_first: IntArray, by_moved: IntArray
) -> tuple[IntArray, IntArray]:
    """Return (row, pair) of all pairs whose moved atom owns each force component."""
    total = 0
    for component in components:
        total += moved_first[component // 3 + 1] - moved_first[component // 3]
    rows, pairs = np.empty(total, np.int64), np.empty(total, np.int64)
    at = 0
    for row in range(len(components)):
        j = components[row] // 3
        for k in range(moved_first[j], moved_first[j + 1]):
            rows[at], pairs[at] = row, by_moved[k]
            at += 1
    return rows, pairs
