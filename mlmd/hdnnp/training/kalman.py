"""The block extended Kalman filter: a second-order, one-pass-at-a-time least-squares fit.

With residuals ξ (M,), their model's Jacobian J (M, W), the weights' covariance P and the
learning rate η:

    X = P Jᵀ,  A = J X + 1/η,  Δw = X A⁻¹ ξ,  P ← P − X A⁻¹ Xᵀ + q

Several observations at once (multi-stream) make every step a matrix product. P begins as a
number times the identity less a product of few factors, then becomes a matrix. It is kept as
blocks on the diagonal that share one A: a single block is the global filter; where its memory
would not be bearable, weights of different elements, then of different nodes, are taken as
uncorrelated. η grows and q falls exponentially to their limits.

Sources: Puskorius, Feldkamp, IEEE Trans. Neural Netw. 5, 279 (1994), doi:10.1109/72.279191;
Blank, Brown, J. Chemometrics 8, 391 (1994), doi:10.1002/cem.1180080605;
Singraber et al., J. Chem. Theory Comput. 15, 3075 (2019), doi:10.1021/acs.jctc.8b01092.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from mlmd.frame import FloatArray
from mlmd.hdnnp.training.products import divide_by_factor, subtract_square, symmetric_times

Block = tuple[int, int]


@dataclass(frozen=True)
class KalmanSettings:
    """How fast the filter forgets its first guesses.

    Args:
        initial_variance: of every weight.
        rate: η at the first update, and ``rate_limit`` where it ends.
        noise: q at the first update, and ``noise_limit`` where it ends.
        growth: η and 1/q grow by this exponent per update.
    """

    growth: float
    initial_variance: float = 100.0
    rate: float = 0.01
    rate_limit: float = 1.0
    noise: float = 0.01
    noise_limit: float = 1e-6


class Covariance:
    """The covariance of a block of weights, p·1 − Y Yᵀ at first, and a full matrix later.

    As long as it has seen few observations beside the number of weights, the factors Y take
    less work than the matrix that they make.

    Args:
        size: number of weights.
        variance: of every weight before the first observation.
        threads: for products of large matrices.
    """

    def __init__(self, size: int, variance: float, threads: int = 1) -> None:
        self.size, self.variance, self.threads = size, variance, threads
        self._factors = np.zeros((size, size // 2), order="F")
        self._used = 0
        # Fortran order and the lower triangle only: what BLAS updates in place.
        self._matrix: FloatArray | None = None

    def times(self, rows: FloatArray) -> FloatArray:
        """Return P·rowsᵀ, shape (size, M), of rows (M, size)."""
        if self._matrix is not None:
            return symmetric_times(self._matrix, rows.T, self.threads)
        product = np.asfortranarray(self.variance * rows.T)
        if not self._used:
            return product
        y = self._factors[:, : self._used]
        product -= ((rows @ y) @ y.T).T
        return product

    def widen(self, noise: float) -> None:
        """Add a number on the diagonal."""
        if self._matrix is None:
            self.variance += noise
        else:
            self._matrix[np.diag_indices(self.size)] += noise

    def subtract(self, y: FloatArray) -> None:
        """Take off y yᵀ of y (size, M)."""
        after = self._used + y.shape[1]
        if self._matrix is None and after <= self._factors.shape[1]:
            self._factors[:, self._used : after] = y
            self._used = after
            return
        if self._matrix is None:
            self._matrix = self.matrix()
            self._factors, self._used = np.zeros((self.size, 0), order="F"), 0
        subtract_square(self._matrix, y, self.threads)

    def matrix(self) -> FloatArray:
        """Return P, shape (size, size); its upper triangle means nothing."""
        if self._matrix is not None:
            return self._matrix
        full = np.zeros((self.size, self.size), order="F")
        full[np.diag_indices(self.size)] = self.variance
        subtract_square(full, self._factors[:, : self._used], self.threads)
        return full

    def state(self) -> dict[str, FloatArray]:
        """Return all that must be kept for an exact restart."""
        if self._matrix is not None:
            return {"covariance": self._matrix}
        factors = np.ascontiguousarray(self._factors[:, : self._used])
        return {"factors": factors, "variance": np.array([self.variance])}

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up what `state` returned."""
        if "covariance" in state:
            self._matrix = np.asfortranarray(state["covariance"])
            self._factors, self._used = np.zeros((self.size, 0), order="F"), 0
            return
        self._matrix, self._used = None, state["factors"].shape[1]
        self._factors = np.zeros((self.size, self.size // 2), order="F")
        self._factors[:, : self._used] = state["factors"]
        self.variance = float(state["variance"][0])


class KalmanFilter:
    """The filter's state.

    Args:
        blocks: (start, end) of weights that are correlated, covering all of them in order.
        settings: rates and their limits.
        threads: for products of large matrices; they change no number.
    """

    def __init__(
        self, blocks: tuple[Block, ...], settings: KalmanSettings, threads: int = 1
    ) -> None:
        self.blocks, self.settings = blocks, settings
        self.rate, self.noise = settings.rate, settings.noise
        self.covariance = [
            Covariance(end - start, settings.initial_variance, threads) for start, end in blocks
        ]

    def update(self, weights: FloatArray, jacobian: FloatArray, residuals: FloatArray) -> None:
        """Improve the weights in place.

        Args:
            weights: shape (W,).
            jacobian: model's derivatives, shape (M, W), C order.
            residuals: reference minus model, shape (M,).

        Raises:
            FloatingPointError: the update isn't finite.
        """
        gains = [
            p.times(jacobian[:, start:end])
            for (start, end), p in zip(self.blocks, self.covariance, strict=True)
        ]
        a = np.diag(np.full(len(residuals), 1.0 / self.rate))
        for (start, end), x in zip(self.blocks, gains, strict=True):
            a += jacobian[:, start:end] @ x
        if not (np.isfinite(a).all() and np.isfinite(residuals).all()):
            raise FloatingPointError("the residuals or their derivatives are not finite")
        factor, failed = lapack.dpotrf(a, lower=1, clean=1)
        if failed:
            raise FloatingPointError("the filter's innovation matrix is not positive definite")
        white = blas.dtrsv(factor, residuals, lower=1)
        for (start, end), x, p in zip(self.blocks, gains, self.covariance, strict=True):
            divide_by_factor(x, factor, p.threads)
            weights[start:end] += x @ white
            p.subtract(x)

    def advance(self) -> None:
        """Let time go on: add the noise, and take the rates a step towards their limits."""
        for p in self.covariance:
            p.widen(self.noise)
        step = np.exp(self.settings.growth)
        self.rate = min(self.rate * step, self.settings.rate_limit)
        self.noise = max(self.noise / step, self.settings.noise_limit)
