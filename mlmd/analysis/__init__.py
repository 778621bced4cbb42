"""Structure and motion of atoms from positions: arrays in, frozen dataclasses out."""

from mlmd.analysis.coordination import (
    CoordinationDistribution,
    CoordinationNumbers,
    coordination_numbers,
)
from mlmd.analysis.diffusion import (
    DiffusionCoefficient,
    MeanSquaredDisplacement,
    diffusion_coefficient,
    mean_squared_displacement,
)
from mlmd.analysis.hull import hull_energies
from mlmd.analysis.radial import (
    RadialAccumulator,
    RadialDistribution,
    RadialPeak,
    first_peak,
    radial_distribution,
)
from mlmd.analysis.scattering import (
    StructureFactor,
    StructureFactorAccumulator,
    structure_factor,
)

__all__ = [
    "CoordinationDistribution",
    "CoordinationNumbers",
    "DiffusionCoefficient",
    "MeanSquaredDisplacement",
    "RadialAccumulator",
    "RadialDistribution",
    "RadialPeak",
    "StructureFactor",
    "StructureFactorAccumulator",
    "coordination_numbers",
    "diffusion_coefficient",
    "first_peak",
    "hull_energies",
    "mean_squared_displacement",
    "radial_distribution",
    "structure_factor",
]
