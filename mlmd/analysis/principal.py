"""The directions along which a set of vectors spreads most, found in one pass over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray

_CONSTANT = 1e-10  # variance over mean square, below which a block only holds rounding


@dataclass(frozen=True)
class PrincipalAxes:
    """Where to look at a set of vectors from.

    Args:
        mean: shape (D,).
        directions: shape (K, D), the most important first; scaled so that a product with a
            vector less the mean is a coordinate.
        explained: shape (K,), shares of the variance, after the blocks were scaled.
    """

    mean: FloatArray
    directions: FloatArray
    explained: FloatArray

    def coordinates(self, vectors: ArrayLike) -> FloatArray:
        """Return the coordinates of vectors of shape (N, D), shape (N, K)."""
        found: FloatArray = (np.asarray(vectors, dtype=float) - self.mean) @ self.directions.T
        return found


class Moments:
    """Mean and scatter of vectors that come in batches; memory doesn't grow with their number."""

    def __init__(self, length: int) -> None:
        self.count = 0
        self.mean = np.zeros(length)
        self.scatter = np.zeros((length, length))

    def add(self, vectors: ArrayLike) -> None:
        """Take in a batch of shape (N, D).

        Source: pairwise update of Chan, Golub, LeVeque, Am. Stat. 37, 242 (1983),
            doi:10.1080/00031305.1983.10483115.
        """
        batch = np.asarray(vectors, dtype=float)
        if not len(batch):
            return
        mean = batch.mean(axis=0)
        centred = batch - mean
        away = mean - self.mean
        total = self.count + len(batch)
        self.scatter += centred.T @ centred
        self.scatter += np.outer(away, away) * (self.count * len(batch) / total)
        self.mean += away * (len(batch) / total)
        self.count = total

    def axes(
        self, count: int, blocks: Sequence[int], before: FloatArray | None = None
    ) -> PrincipalAxes:
        """Return the principal axes after each block got the same total variance.

        Without that, the block with the largest numbers would decide alone. A block that is
        constant up to rounding gets no weight.

        Args:
            count: how many axes.
            blocks: lengths of the parts of the vectors, which sum to D.
            before: directions of an earlier set, shape (K, D): the new ones point the same way,
                so that a map that grows isn't mirrored.

        Raises:
            InvalidInput: no vectors, or blocks of another length.
        """
        if not self.count or sum(blocks) != len(self.mean):
            raise InvalidInput(
                "principal axes", f"{self.count} vectors, blocks {list(blocks)}", "some vectors"
            )
        covariance = self.scatter / self.count
        scale = _scales(np.diag(covariance), self.mean, blocks)
        values, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
        order = np.argsort(values)[::-1][:count]
        directions = vectors[:, order].T * scale
        for direction, old in zip(
            directions, directions if before is None else before, strict=True
        ):
            facing = (
                direction @ old if before is not None else direction[np.abs(direction).argmax()]
            )
            if facing < 0:
                direction *= -1.0
        total = max(float(values.clip(0.0).sum()), np.finfo(float).tiny)
        return PrincipalAxes(self.mean.copy(), directions, values[order].clip(0.0) / total)


def _scales(variances: FloatArray, mean: FloatArray, blocks: Sequence[int]) -> FloatArray:
    scale = np.zeros(len(variances))
    start = 0
    for length in blocks:
        part = slice(start, start + length)
        variance = float(variances[part].sum())
        if variance > _CONSTANT * (float((mean[part] ** 2).sum()) + variance):
            scale[part] = 1.0 / np.sqrt(variance)
        start += length
    return scale
