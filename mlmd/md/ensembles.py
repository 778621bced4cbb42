"""The registry of ensembles: one line for each."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from mlmd.md.barostats import StochasticCellRescaling
from mlmd.md.integrators import BathSettings, Integrator, VelocityVerlet
from mlmd.md.thermostats import Bussi, Langevin, NoseHooverChain


class Ensemble(StrEnum):
    """What is held constant, and how."""

    NVE = "nve"
    NVT_LANGEVIN = "nvt-langevin"
    NVT_BUSSI = "nvt-bussi"
    NVT_NOSE_HOOVER = "nvt-nose-hoover"
    NPT = "npt"


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
    }
    return kinds[Ensemble(ensemble)](settings, rng)
