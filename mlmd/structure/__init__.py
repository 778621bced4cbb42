"""Structures without labels: what they are, and building new ones from them."""

from mlmd.structure.build import (
    build_bulk,
    build_supercell,
    build_surface,
    build_vacancy,
    displace_randomly,
    strain,
)
from mlmd.structure.distance import ClosestPair, closest_pair
from mlmd.structure.repeats import bulk_repeats
from mlmd.structure.report import (
    StructureReport,
    StructureWarning,
    WarningCode,
    structure_report,
)

__all__ = [
    "ClosestPair",
    "StructureReport",
    "StructureWarning",
    "WarningCode",
    "build_bulk",
    "build_supercell",
    "build_surface",
    "build_vacancy",
    "bulk_repeats",
    "closest_pair",
    "displace_randomly",
    "strain",
    "structure_report",
]
