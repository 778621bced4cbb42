"""The block extended Kalman filter: a second-order, one-pass-at-a-time least-squares fit.

With residuals ξ (M,), their model's Jacobian J (M, W), the weights' covariance P and the
learning rate η:

    X = P Jᵀ,  A = J X + 1/η,  Δw = X A⁻¹ ξ,  P ← P − X A⁻¹ Xᵀ + q

Several observations at once (multi-stream) make every step a matrix product. P is kept as
blocks on the diagonal that share one A: a single block is the global filter; where its memory
would not be bearable, weights of different elements, then of different nodes, are taken as
uncorrelated. η grows and q falls exponentially to their limits.

Sources: Puskorius, Feldkamp, IEEE Trans. Neural Netw. 5, 279 (1994), doi:10.1109/72.279191;
Blank, Brown, J. Chemometrics 8, 391 (1994), doi:10.1002/cem.1180080605;
Singraber et al., J. Chem. Theory Comput. 15, 3075 (2019), doi:10.1021/acs.jctc.8b01092.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from mlmd.frame import FloatArray

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


class KalmanFilter:
    """The filter's state.

    Args:
        blocks: (start, end) of weights that are correlated, covering all of them in order.
        settings: rates and their limits.
    """

    def __init__(self, blocks: tuple[Block, ...], settings: KalmanSettings) -> None:
        self.blocks, self.settings = blocks, settings
        self.rate, self.noise = settings.rate, settings.noise
        # Fortran order and the lower triangle only: what BLAS updates in place.
        self.covariance = [
            np.asfortranarray(np.eye(end - start) * settings.initial_variance)
            for start, end in blocks
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
            blas.dsymm(1.0, p, jacobian[:, start:end].T, lower=1)
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
            y = blas.dtrsm(1.0, factor, x, side=1, lower=1, trans_a=1)
            weights[start:end] += y @ white
            blas.dsyrk(-1.0, y, 1.0, p, lower=1, overwrite_c=1)
            p[np.diag_indices(end - start)] += self.noise
        self._anneal()

    def _anneal(self) -> None:
        step = np.exp(self.settings.growth)
        self.rate = min(self.rate * step, self.settings.rate_limit)
        self.noise = max(self.noise / step, self.settings.noise_limit)
