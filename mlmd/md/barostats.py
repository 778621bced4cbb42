"""Constant pressure. Symbols as in `mlmd.md.integrators`."""

from __future__ import annotations

import math

import numpy as np

from mlmd.md.integrators import BathSettings, FloatArray, Targets
from mlmd.md.system import System
from mlmd.md.thermostats import Bussi

# A strain by more than this in one move is no small step of a diffusion any more.
LARGEST_STRAIN = 0.05


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
            self.move_cell(system, targets)

    def move_cell(self, system: System, targets: Targets) -> None:
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
        system.deform(s * np.eye(3))
        system.evaluate()
        backward = new_root + self._push(system, targets, rate * time)
        # ln of the probability of the move over that of its reverse.
        exchange = ((root - backward) ** 2 - (new_root - forward) ** 2) / (2 * variance)
        # In λ the ensemble has density λ exp(−H/kT): dV = 2λ dλ.
        jacobian = math.log(new_root / root)
        self.bath_energy += targets.thermal_energy * (exchange - jacobian)

    def _push(self, system: System, targets: Targets, factor: float) -> float:
        V = system.volume
        pressure = float(np.trace(system.strain_force)) / (3 * V)
        gap = targets.pressure - pressure - targets.thermal_energy / (2 * V)
        return -factor * math.sqrt(V) * gap

    def conserved(self, system: System, targets: Targets) -> float:
        """Return K + U + P₀V + bath, eV."""
        return super().conserved(system, targets) + targets.pressure * system.volume


class FlexibleCellRescaling(StochasticCellRescaling):
    """Constant pressure or stress and temperature (NPT) with a cell that changes its shape.

    h ← h exp(ε),  dε = (β / 3τ_p V) X dt + √(2 kT β / 3τ_p V) dW,
    X = V (P − P₀) + V₀ Fᵀ s F,  F = h₀⁻¹ h

    with h the lattice vectors as rows, P the pressure tensor and s the part of the target stress
    beside the pressure, tension positive. Constant stress isn't the slope of an energy in
    strains that aren't small, so s is what Parrinello and Rahman hold: the stress per area
    of the cell h₀ at the stage's start, whose energy −V₀ tr(s E) belongs to the Green strain
    E = ½ (F Fᵀ − 1).

    ε is symmetric, and after each move the atoms are turned with the cell so that its first vector
    keeps its direction and the second its plane: nothing rotates. In strain ε the ensemble has
    density V exp(−H/kT), so that volumes are distributed as with the isotropic barostat; a
    move and its reverse are ε and −ε, so the account of the bath stays exact.

    Source: Del Tatto, Raiteri, Bernetti & Bussi, Appl. Sci. 12, 1139 (2022),
    doi:10.3390/app12031139; Parrinello & Rahman, J. Appl. Phys. 52, 7182 (1981),
    doi:10.1063/1.328693.
    """

    moving: FloatArray = np.ones((3, 3))
    """1 for components of the strain that move, 0 for those that stay."""
    turns_back = True

    def __init__(self, settings: BathSettings, rng: np.random.Generator) -> None:
        super().__init__(settings, rng)
        self.reference = np.zeros((3, 3))

    def before(self, system: System, targets: Targets) -> None:
        """Remember the cell that the stage began with, and rescale velocities."""
        if not self.reference.any():
            self.reference = system.cell.copy()
        super().before(system, targets)

    def move_cell(self, system: System, targets: Targets) -> None:
        """Propose and take one move of the cell."""
        volume, orientation = system.volume, _orientation(system.cell)
        drift, variance = self._drift(system, targets)
        noise = self.rng.standard_normal((3, 3)) * math.sqrt(variance)
        # Half the variance beside the diagonal: one number there moves two components.
        strain = drift + 0.5 * (noise + noise.T) * self.moving
        strain = np.clip(strain, -LARGEST_STRAIN, LARGEST_STRAIN)
        values, axes = np.linalg.eigh(strain)
        system.deform((axes * np.exp(values)) @ axes.T)
        system.evaluate()
        back_drift, back_variance = self._drift(system, targets)
        # ln of the probability of the move over that of its reverse, which is −ε.
        exchange = np.sum((strain + back_drift) ** 2) / (2 * back_variance)
        exchange -= np.sum((strain - drift) ** 2) / (2 * variance)
        components = np.count_nonzero(np.triu(self.moving))
        exchange += 0.5 * components * math.log(back_variance / variance)
        jacobian = math.log(system.volume / volume)
        self.bath_energy += targets.thermal_energy * float(exchange - jacobian)
        if self.turns_back:
            system.turn(_orientation(system.cell).T @ orientation)

    def _drift(self, system: System, targets: Targets) -> tuple[FloatArray, float]:
        """Return the mean of the next strain, shape (3, 3), and its variance on the diagonal."""
        V = system.volume
        time = self.settings.time_step * self.settings.barostat_interval
        rate = self.settings.compressibility / (3 * self.settings.barostat_time * V) * time
        push = system.strain_force - targets.pressure * V * np.eye(3)
        if targets.stress is not None:
            F = np.linalg.solve(self.reference, system.cell)
            push = push + abs(np.linalg.det(self.reference)) * F.T @ targets.stress @ F
        return rate * push * self.moving, 2 * targets.thermal_energy * rate

    def conserved(self, system: System, targets: Targets) -> float:
        """Return K + U + P₀V − V₀ tr(s E) + bath, eV."""
        kept = super().conserved(system, targets)
        if targets.stress is None or not self.reference.any():
            return kept
        F = np.linalg.solve(self.reference, system.cell)
        work = 0.5 * abs(np.linalg.det(self.reference))
        return kept - float(work * np.trace(targets.stress @ (F @ F.T - np.eye(3))))

    def memory(self) -> FloatArray:
        """Return the account and the cell at the stage's start."""
        return np.concatenate([super().memory(), self.reference.ravel()])

    def recall(self, memory: FloatArray) -> None:
        """Take what `memory` gave."""
        super().recall(memory)
        self.reference = np.array(memory[1:]).reshape(3, 3)


class AxialCellRescaling(FlexibleCellRescaling):
    """As `FlexibleCellRescaling`, with strain along x, y and z only: a box stays a box."""

    moving: FloatArray = np.eye(3)
    turns_back = False  # strains along fixed axes can't turn anything


def _orientation(cell: FloatArray) -> FloatArray:
    """Return the rotation R of a cell L R, L lower triangular with a positive diagonal."""
    turn, upper = np.linalg.qr(cell.T)
    signs = np.where(np.diag(upper) < 0, -1.0, 1.0)
    return np.asarray((turn * signs).T)
