"""Thermostats: constant temperature in three ways. Symbols as in `mlmd.md.integrators`."""

from __future__ import annotations

import math

import numpy as np

from mlmd.md.integrators import BathSettings, FloatArray, Integrator, Targets
from mlmd.md.system import System


class Langevin(Integrator):
    """Langevin dynamics (NVT) in the order B-A-O-A-B.

    O: v ← c v + √[(1 − c²) kT/m] ξ,  c = exp(−γΔt),  γ = 1/thermostat_time

    between two half drifts A. Configurations are sampled with an error that vanishes to second
    order for all and to fourth order for harmonic systems. The centre of mass is taken
    out of the noise, so the other N_f = 3N − 3 degrees of freedom are canonical and the
    sample doesn't wander.

    Source: Leimkuhler & Matthews, J. Chem. Phys. 138, 174102 (2013), doi:10.1063/1.4802990.
    Account of the bath: Bussi & Parrinello, Phys. Rev. E 75, 056707 (2007),
    doi:10.1103/PhysRevE.75.056707. Rigid bonds: Leimkuhler & Matthews, Proc. R. Soc. A 472,
    20160138 (2016), doi:10.1098/rspa.2016.0138.
    """

    def before(self, system: System, targets: Targets) -> None:
        """Do nothing: the bath acts between the drifts."""

    def after(self, system: System, targets: Targets) -> None:
        """Do nothing: the bath acts between the drifts."""

    def drift(self, system: System, targets: Targets) -> None:
        """Drift, bath, drift."""
        half = 0.5 * self.settings.time_step
        self._half_drift(system, half)
        system.stop_bonds()
        before = system.kinetic_energy
        c = math.exp(-self.settings.time_step / self.settings.thermostat_time)
        noise = self.rng.standard_normal(system.velocities.shape)
        spread = np.sqrt((1 - c * c) * targets.thermal_energy / system.inertia)
        system.velocities = c * system.velocities + spread * noise
        if system.has_fixed:
            system.velocities[~system.free] = 0.0
        system.stop_bonds()
        system.remove_drift()
        self.bath_energy += before - system.kinetic_energy
        self._half_drift(system, half)

    def _half_drift(self, system: System, half: float) -> None:
        before = system.positions
        system.positions = before + half * system.velocities
        system.keep_bonds(before, half)


class Bussi(Integrator):
    """Stochastic velocity rescaling (NVT), half before and half after the step.

    α² = c + (1 − c) K̄/(N_f K) Σξ² + 2 ξ₁ √[c (1 − c) K̄/(N_f K)],
    c = exp(−Δt/τ),  K̄ = N_f kT/2

    All velocities are scaled by one number, drawn so that K has its canonical
    distribution; dynamics are hardly disturbed.

    Source: Bussi, Donadio & Parrinello, J. Chem. Phys. 126, 014101 (2007),
    doi:10.1063/1.2408420, equation (A7).
    """

    def before(self, system: System, targets: Targets) -> None:
        """Rescale for half a step."""
        self.rescale(system, targets)

    def after(self, system: System, targets: Targets) -> None:
        """Rescale for half a step."""
        self.rescale(system, targets)

    def rescale(self, system: System, targets: Targets) -> None:
        """Draw a new kinetic energy for half a time step and scale all velocities to it."""
        K, n_f = system.kinetic_energy, system.degrees_of_freedom
        if K <= 0 or n_f <= 0:
            return
        c = math.exp(-0.5 * self.settings.time_step / self.settings.thermostat_time)
        ratio = (1 - c) * 0.5 * targets.thermal_energy / K
        first = self.rng.standard_normal()
        # The sum of n_f − 1 squared normal numbers is twice a gamma-distributed one.
        rest = 2 * self.rng.standard_gamma(0.5 * (n_f - 1)) if n_f > 1 else 0.0
        square = c + ratio * (first * first + rest) + 2 * first * math.sqrt(c * ratio)
        sign = -1.0 if first + math.sqrt(c / ratio) < 0 else 1.0
        system.velocities *= sign * math.sqrt(square)
        self.bath_energy += K * (1 - square)


# Weights of the fourth-order Suzuki–Yoshida splitting.
_W = 1 / (2 - 2 ** (1 / 3))
_SUZUKI_YOSHIDA = (_W, 1 - 2 * _W, _W)


class NoseHooverChain(Integrator):
    """Nosé–Hoover chain (NVT), deterministic and time-reversible.

    dv/dt = F/m − ξ₁ v;  Q₁ dξ₁/dt = 2K − N_f kT − Q₁ ξ₁ ξ₂;  Q_k dξ_k/dt = Q_{k−1} ξ²_{k−1} − kT − …
    with Q₁ = N_f kT τ², Q_k = kT τ².

    Conserved: K + U + Σ ½ Q_k ξ_k² + ∫ (N_f kT ξ₁ + kT Σ ξ_k) dt.

    Source: Martyna, Tuckerman, Tobias & Klein, Mol. Phys. 87, 1117 (1996),
    doi:10.1080/00268979600100761.
    """

    def __init__(self, settings: BathSettings, rng: np.random.Generator) -> None:
        super().__init__(settings, rng)
        self.rates = np.zeros(settings.chain_length)
        self.integral = 0.0
        self._last_kT = 0.0

    def before(self, system: System, targets: Targets) -> None:
        """Move the chain by half a step, with masses that follow a ramp of the temperature."""
        if targets.thermal_energy != self._last_kT:
            # Heavier thermostats at the same rate carry more energy: enter it as work.
            if self._last_kT:
                self.integral += self._chain_energy(system, self._last_kT)
                self.integral -= self._chain_energy(system, targets.thermal_energy)
            self._last_kT = targets.thermal_energy
        self._move_chain(system, targets.thermal_energy)

    def after(self, system: System, targets: Targets) -> None:
        """Move the chain by half a step."""
        self._move_chain(system, targets.thermal_energy)

    def _masses(self, system: System, kT: float) -> FloatArray:
        masses = np.full(len(self.rates), kT * self.settings.thermostat_time**2)
        masses[0] *= system.degrees_of_freedom
        return masses

    def _chain_energy(self, system: System, kT: float) -> float:
        return float(0.5 * np.sum(self._masses(system, kT) * self.rates**2))

    def _move_chain(self, system: System, kT: float) -> None:
        n_f = system.degrees_of_freedom
        if n_f <= 0:
            return
        Q, xi, last = self._masses(system, kT).tolist(), self.rates.tolist(), len(self.rates) - 1
        twice_K, scale = 2 * system.kinetic_energy, 1.0

        def push(k: int, time: float) -> None:
            force = twice_K - n_f * kT if k == 0 else Q[k - 1] * xi[k - 1] ** 2 - kT
            damping = 1.0 if k == last else math.exp(-0.5 * time * xi[k + 1])
            xi[k] = (xi[k] * damping + time * force / Q[k]) * damping

        for weight in _SUZUKI_YOSHIDA:
            time = 0.5 * self.settings.time_step * weight
            for k in range(last, -1, -1):
                push(k, 0.5 * time)
            factor = math.exp(-time * xi[0])
            scale *= factor
            twice_K *= factor * factor
            self.integral += time * kT * (n_f * xi[0] + sum(xi[1:]))
            for k in range(last + 1):
                push(k, 0.5 * time)
        system.velocities *= scale
        self.rates = np.array(xi)
        self.bath_energy = self.integral + self._chain_energy(system, kT)

    def memory(self) -> FloatArray:
        """Return the account, the integral, the last kT and the rates."""
        return np.array([self.bath_energy, self.integral, self._last_kT, *self.rates])

    def recall(self, memory: FloatArray) -> None:
        """Take what `memory` gave."""
        self.bath_energy, self.integral, self._last_kT = (float(value) for value in memory[:3])
        self.rates = np.array(memory[3:])
