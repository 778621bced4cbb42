"""What all integrators share, and the one without a bath.

Symbols: r positions, v velocities, m masses, F forces, Δt time step, K kinetic energy, U potential
energy, V volume, N_f degrees of freedom, kT target temperature, P₀ target pressure.

Each keeps an account of the energy that its bath has given away, so that
K + U (+ P₀V) + ``bath_energy`` is conserved but for the error of a finite time step. That
account holds through temperature ramps too: it adds up increments and knows no formula in kT.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlmd.md.system import System

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """What a step should go to.

    Args:
        thermal_energy: target temperature times k_B, kT, eV.
        pressure: target pressure, eV/Å³.
        stress: target beside the pressure, symmetric, tension positive, shape (3, 3), eV/Å³;
            None for none. Only cells that change their shape follow it.
    """

    thermal_energy: float
    pressure: float = 0.0
    stress: FloatArray | None = None


@dataclass(frozen=True)
class BathSettings:
    """Constants of thermostats and barostats.

    Args:
        time_step: fs.
        thermostat_time: relaxation time of the thermostat, fs.
        barostat_time: relaxation time of the barostat, fs.
        compressibility: rough isothermal compressibility, Å³/eV; only its ratio to
            ``barostat_time`` counts.
        barostat_interval: steps between volume moves.
        chain_length: thermostats in a Nosé–Hoover chain.
    """

    time_step: float
    thermostat_time: float = 100.0
    barostat_time: float = 1000.0
    compressibility: float = 1.6
    barostat_interval: int = 10
    chain_length: int = 3


class Integrator(ABC):
    """Velocity Verlet, to which thermostats add.

    v ← v + F Δt/2m;  r ← r + v Δt;  F ← F(r);  v ← v + F Δt/2m

    Source: Swope et al., J. Chem. Phys. 76, 637 (1982), doi:10.1063/1.442716.

    Args:
        settings: constants of the bath.
        rng: source of the random numbers; its state belongs to a restart.
    """

    def __init__(self, settings: BathSettings, rng: np.random.Generator) -> None:
        self.settings = settings
        self.rng = rng
        self.bath_energy = 0.0

    def step(self, system: System, targets: Targets) -> None:
        """Move the system by one time step."""
        self.before(system, targets)
        half = 0.5 * self.settings.time_step
        system.velocities += half * system.forces / system.inertia
        self.drift(system, targets)
        system.evaluate()
        system.velocities += half * system.forces / system.inertia
        system.stop_bonds()
        system.step += 1
        self.after(system, targets)

    def drift(self, system: System, targets: Targets) -> None:
        """Move the positions by one time step."""
        before = system.positions
        system.positions = before + self.settings.time_step * system.velocities
        system.keep_bonds(before, self.settings.time_step)

    @abstractmethod
    def before(self, system: System, targets: Targets) -> None:
        """Act before the first half kick."""

    @abstractmethod
    def after(self, system: System, targets: Targets) -> None:
        """Act after the last half kick."""

    def conserved(self, system: System, targets: Targets) -> float:
        """Return the quantity that a perfect integrator would keep, eV."""
        return system.energy + system.kinetic_energy + self.bath_energy

    def memory(self) -> FloatArray:
        """Return what a restart must know besides the system, as numbers."""
        return np.array([self.bath_energy])

    def recall(self, memory: FloatArray) -> None:
        """Take what `memory` gave."""
        self.bath_energy = float(memory[0])


class VelocityVerlet(Integrator):
    """Constant energy (NVE)."""

    def before(self, system: System, targets: Targets) -> None:
        """Do nothing: the system is alone."""

    def after(self, system: System, targets: Targets) -> None:
        """Do nothing: the system is alone."""
