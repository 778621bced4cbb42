"""Constant pressure. Symbols as in `mlmd.md.integrators`."""

from __future__ import annotations

import math

from mlmd.md.integrators import Targets
from mlmd.md.system import System
from mlmd.md.thermostats import Bussi


class StochasticCellRescaling(Bussi):
    """Constant pressure and temperature (NPT), isotropic: Bussi's thermostat and a volume move.

    dλ = −(β λ / 2τ_p) [P₀ − P − kT/2V] dt + √(kT β / 2τ_p) dW,  λ = √V

    Positions and cell are scaled by s = (V′/V)^⅓, velocities by 1/s. First-order and
    stochastic: the volume relaxes without ringing, and its fluctuations are those of the
    NPT ensemble. It moves every few steps with the forces evaluated anew; that costs one
    more evaluation each time, and in return P is exact on both sides of the move, the account
    of the bath (the ratio of forward and backward probabilities) is exact too, and neighbour
    lists live as long as in a fixed cell.

    Source: Bernetti & Bussi, J. Chem. Phys. 153, 114107 (2020), doi:10.1063/5.0020514.
    """

    def after(self, system: System, targets: Targets) -> None:
        """Rescale velocities; every few steps move the volume."""
        super().after(system, targets)
        if system.step % self.settings.barostat_interval == 0:
            self.move_volume(system, targets)

    def move_volume(self, system: System, targets: Targets) -> None:
        """Propose and take one volume move."""
        time = self.settings.time_step * self.settings.barostat_interval
        rate = self.settings.compressibility / (2 * self.settings.barostat_time)
        variance = targets.thermal_energy * rate * time
        root = math.sqrt(system.volume)
        forward = root + self._push(system, targets, rate * time)
        new_root = forward + math.sqrt(variance) * self.rng.standard_normal()
        # A move by more than a tenth is no small step of a diffusion any more.
        new_root = min(max(new_root, root / 1.05), root * 1.05)
        s = (new_root / root) ** (2 / 3)
        system.cell = system.cell * s
        system.positions = system.positions * s
        system.velocities /= s
        system.evaluate()
        backward = new_root + self._push(system, targets, rate * time)
        # ln of the probability of the move over that of its reverse.
        exchange = ((root - backward) ** 2 - (new_root - forward) ** 2) / (2 * variance)
        # In λ the ensemble has density λ exp(−H/kT): dV = 2λ dλ.
        jacobian = math.log(new_root / root)
        self.bath_energy += targets.thermal_energy * (exchange - jacobian)

    def _push(self, system: System, targets: Targets, factor: float) -> float:
        V = system.volume
        gap = targets.pressure - system.pressure - targets.thermal_energy / (2 * V)
        return -factor * math.sqrt(V) * gap

    def conserved(self, system: System, targets: Targets) -> float:
        """Return K + U + P₀V + bath, eV."""
        return super().conserved(system, targets) + targets.pressure * system.volume
