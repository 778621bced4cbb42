"""The registry of ensembles: one line for each."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from mlmd.md.barostats import (
    AxialCellRescaling,
    FlexibleCellRescaling,
    StochasticCellRescaling,
)
from mlmd.md.integrators import BathSettings, Integrator, VelocityVerlet
from mlmd.md.thermostats import Bussi, Langevin, NoseHooverChain


class Ensemble(StrEnum):
    """What is held constant, and how."""

    NVE = "nve"
    NVT_LANGEVIN = "nvt-langevin"
    NVT_BUSSI = "nvt-bussi"
    NVT_NOSE_HOOVER = "nvt-nose-hoover"
    NPT = "npt"
    NPT_AXES = "npt-axes"
    NPT_FULL = "npt-full"

    @property
    def moves_cell(self) -> bool:
        """Whether the pressure is held and the cell moves."""
        return self in (Ensemble.NPT, Ensemble.NPT_AXES, Ensemble.NPT_FULL)

    @property
    def changes_shape(self) -> bool:
        """Whether the cell may change its shape, and so follow a stress."""
        return self in (Ensemble.NPT_AXES, Ensemble.NPT_FULL)


def make_integrator(
    ensemble: Ensemble, settings: BathSettings, rng: np.random.Generator
) -> Integrator:
    """Return the integrator of an ensemble."""
    kinds: dict[Ensemble, type[Integrator]] = {
        Ensemble.NVE: VelocityVerlet,
        Ensemble.NVT_LANGEVIN: Langevin,
        Ensemble.NVT_BUSSI: Bussi,
        Ensemble.NVT_NOSE_HOOVER: NoseHooverChain,
        Ensemble.NPT: StochasticCellRescaling,
        Ensemble.NPT_AXES: AxialCellRescaling,
        Ensemble.NPT_FULL: FlexibleCellRescaling,
    }
    return kinds[Ensemble(ensemble)](settings, rng)
