"""Frames made ready for training: scaled symmetry functions, their gradients, targets.

A frame's gradients are kept in memory as long as they fit below a limit; those of the other
frames are computed again at every visit, which costs about as much as the update that uses
them. So memory stays bounded however large the set is, and the numbers are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from mlmd.compiled import kernel
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.derivatives import DescriptorSet, ElementDerivatives
from mlmd.hdnnp.training.first_look import FirstLook

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ElementInputs:
    """One element's part of a prepared frame.

    Args:
        scaled: network inputs, shape (A, S).
        centers: row of ``scaled`` of every pair, shape (P,).
        by_moved: the pairs in order of the atom that moves, shape (P,).
        moved_first: pairs of atom j are ``by_moved[moved_first[j]:moved_first[j + 1]]``, (N + 1,).
        gradients: of the scaled inputs by the moved atom, shape (P, 3, S), 1/Å, float32.
        strains: of the scaled inputs by the cell's strain, shape (A, 6, S), Voigt's order, float32.
    """

    scaled: FloatArray
    centers: IntArray
    by_moved: IntArray
    moved_first: IntArray
    gradients: NDArray[np.float32]
    strains: NDArray[np.float32]

    def pushed(self, forces: FloatArray, virial: FloatArray) -> FloatArray:
        """Return Σ b·(−∂G/∂r) + Σ c·∂G/∂ε, shape (A, S), of b (3N,) and c (6,)."""
        result: FloatArray = np.einsum("acs,c->as", self.strains, virial)
        _push(self.moved_first, self.by_moved, self.centers, self.gradients, forces, result)
        return result


@dataclass(frozen=True)
class PreparedFrame:
    """A frame in the network's own units.

    Args:
        index: position in the store.
        count: number of atoms N.
        elements: one part for each element of the potential.
        energy: target, or None.
        forces: targets, shape (3N,), or None.
        virial: targets, dE/dε = stress times volume, shape (6,) in Voigt's order, or None.
        weight: factor of its squared errors in training.
    """

    index: int
    count: int
    elements: tuple[ElementInputs, ...]
    energy: float | None
    forces: FloatArray | None
    virial: FloatArray | None = None
    weight: float = 1.0

    @property
    def nbytes(self) -> int:
        """Memory of its large arrays."""
        return sum(
            e.scaled.nbytes
            + e.gradients.nbytes
            + e.strains.nbytes
            + e.centers.nbytes
            + e.by_moved.nbytes
            for e in self.elements
        )

    def forces_from(self, input_gradients: Sequence[FloatArray]) -> FloatArray:
        """Return −Σ D·∂G/∂r, shape (3N,), from every element's D = ∂E/∂G, shape (A, S)."""
        forces = np.zeros((self.count, 3))
        for part, gradient in zip(self.elements, input_gradients, strict=True):
            _contract(
                part.moved_first, part.by_moved, part.centers, part.gradients, gradient, forces
            )
        return forces.ravel()

    def virial_from(self, input_gradients: Sequence[FloatArray]) -> FloatArray:
        """Return Σ D·∂G/∂ε, shape (6,), from every element's D = ∂E/∂G, shape (A, S)."""
        virial = np.zeros(6)
        for part, gradient in zip(self.elements, input_gradients, strict=True):
            virial += np.einsum("acs,as->c", part.strains, gradient)
        return virial


@dataclass(frozen=True)
class Conversion:
    """From eV and Å to the network's inputs and outputs.

    Args:
        factors: per element, shape (S,): input = factor·G + shift.
        shifts: per element, shape (S,).
        atom_energies: baseline of every element, eV.
        conv_energy: network energy of 1 eV.
    """

    factors: tuple[FloatArray, ...]
    shifts: tuple[FloatArray, ...]
    atom_energies: FloatArray
    conv_energy: float


class FrameStore:
    """Prepared frames by index, some in memory and some made anew at every visit.

    Args:
        frames: what to prepare.
        descriptors: the potential's functions.
        conversion: into network units.
        memory_limit: bytes that kept frames may take.
        threads: frames prepared at the same time.
        weights: of every frame; empty for 1.
        look: derivatives that are there already.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        descriptors: DescriptorSet,
        conversion: Conversion,
        memory_limit: int,
        threads: int,
        weights: Sequence[float] = (),
        look: FirstLook | None = None,
    ) -> None:
        self.look = look
        self.weights = tuple(weights) or (1.0,) * len(frames)
        self.frames, self.descriptors, self.conversion = frames, descriptors, conversion
        self.memory_limit, self.threads = memory_limit, threads
        self.kept: dict[int, PreparedFrame] = {}
        self.used = 0

    def __len__(self) -> int:
        return len(self.frames)

    def visit(self, indices: Sequence[int]) -> Iterator[PreparedFrame]:
        """Yield the frames of these indices, in this order."""
        workers = ThreadPoolExecutor(self.threads) if self.threads > 1 else nullcontext()
        with workers as pool:
            ahead = Ahead(self, [[index] for index in indices], pool)
            for frames in ahead:
                ahead.fill()
                yield from frames

    def fill(self, report: Callable[[int], object]) -> None:
        """Prepare as many frames as may be kept; ``report`` takes the number looked at."""
        step = 8 * self.threads
        for start in range(0, len(self), step):
            for _ in self.visit(range(start, min(start + step, len(self)))):
                pass
            report(min(start + step, len(self)))
            if self.used >= self.memory_limit:
                return

    def keep(self, frame: PreparedFrame) -> None:
        """Keep a frame if memory allows."""
        if frame.index not in self.kept and self.used + frame.nbytes <= self.memory_limit:
            self.kept[frame.index] = frame
            self.used += frame.nbytes

    def prepare(self, index: int) -> PreparedFrame:
        """Work out a frame; several may be worked out at the same time."""
        frame, unit = self.frames[index], self.conversion
        parts = self.look.take(index, self.descriptors.functions) if self.look else None
        if parts is None:
            parts = self.descriptors.derivatives(
                frame.numbers, frame.positions, frame.cell, frame.pbc
            )
        elements = tuple(
            _scale(part, factor, shift, len(frame))
            for part, factor, shift in zip(parts, unit.factors, unit.shifts, strict=True)
        )
        energy = None
        if frame.energy is not None:
            counts = np.array([len(part.atoms) for part in parts])
            energy = float(frame.energy - counts @ unit.atom_energies) * unit.conv_energy
        forces = None
        if frame.forces is not None:
            forces = frame.forces.ravel() * unit.conv_energy
        virial = stress_of(frame)
        if virial is not None:
            virial = virial * (abs(float(np.linalg.det(frame.cell))) * unit.conv_energy)
        weight = self.weights[index]
        return PreparedFrame(index, len(frame), elements, energy, forces, virial, weight)


class Ahead:
    """Batches of frames in a given order; frames of later ones are prepared while one is used.

    Args:
        store: of the frames.
        batches: their indices.
        pool: where frames are prepared; None prepares them when they are asked for.
    """

    def __init__(
        self, store: FrameStore, batches: Sequence[Sequence[int]], pool: Executor | None
    ) -> None:
        self.store, self.pool = store, pool
        self._batches = deque(batches)
        self._coming: deque[dict[int, Future[PreparedFrame]]] = deque()

    def fill(self) -> None:
        """Prepare a few frames more: results that wait are memory too."""
        if self.pool is None:
            return
        waiting = sum(map(len, self._coming))
        most = 4 * self.store.threads
        for batch in islice(self._batches, len(self._coming), most):
            if waiting >= most:
                return
            self._coming.append(self._start(batch))
            waiting += len(self._coming[-1])

    def __iter__(self) -> Iterator[list[PreparedFrame]]:
        """Yield batch after batch."""
        store = self.store
        while self._batches:
            batch = self._batches.popleft()
            started = self._coming.popleft() if self._coming else self._start(batch)
            frames = []
            for index in batch:
                future = started.get(index)
                frame = store.kept.get(index) or (
                    store.prepare(index) if future is None else future.result()
                )
                store.keep(frame)
                frames.append(frame)
            yield frames

    def _start(self, batch: Sequence[int]) -> dict[int, Future[PreparedFrame]]:
        if self.pool is None:
            return {}
        missing = [index for index in batch if index not in self.store.kept]
        return {index: self.pool.submit(self.store.prepare, index) for index in missing}


def stress_of(frame: Frame) -> FloatArray | None:
    """Return the six components of a frame's stress, eV/Å³; None where it can't have one."""
    if frame.stress is None or not all(frame.pbc):
        return None
    return np.asarray(full_3x3_to_voigt_6_stress(frame.stress), np.float64)


def _scale(
    part: ElementDerivatives, factor: FloatArray, shift: FloatArray, count: int
) -> ElementInputs:
    by_moved = np.argsort(part.moved, kind="stable")
    centers = np.repeat(np.arange(len(part.atoms)), np.diff(part.first))
    return ElementInputs(
        part.values * factor + shift,
        centers.astype(np.int64),
        by_moved.astype(np.int64),
        np.searchsorted(part.moved[by_moved], np.arange(count + 1)).astype(np.int64),
        part.gradients * factor.astype(np.float32),
        part.strains * factor.astype(np.float32),
    )


@kernel
def _contract(
    moved_first: IntArray,
    by_moved: IntArray,
    centers: IntArray,
    gradients: NDArray[np.float32],
    input_gradient: FloatArray,
    forces: FloatArray,
) -> None:
    """Subtract D·∂G/∂r of every pair from the force on the atom that moves."""
    for j in range(len(moved_first) - 1):
        for k in range(moved_first[j], moved_first[j + 1]):
            p = by_moved[k]
            d = input_gradient[centers[p]]
            for c in range(3):
                row = gradients[p, c]
                total = 0.0
                for s in range(len(d)):
                    total += row[s] * d[s]
                forces[j, c] -= total


@kernel
def _push(
    moved_first: IntArray,
    by_moved: IntArray,
    centers: IntArray,
    gradients: NDArray[np.float32],
    forces: FloatArray,
    result: FloatArray,
) -> None:
    """Subtract b·∂G/∂r of every pair from the row of the atom that feels it."""
    for j in range(len(moved_first) - 1):
        for k in range(moved_first[j], moved_first[j + 1]):
            p = by_moved[k]
            row = result[centers[p]]
            for c in range(3):
                b = forces[3 * j + c]
                part = gradients[p, c]
                for s in range(len(row)):
                    row[s] -= b * part[s]
