"""The families of potentials that the site trains and uses."""

from potentials.families.aenet import AENET
from potentials.families.base import (
    Card,
    CatalogFamily,
    Curve,
    Facts,
    Family,
    Outcome,
    TrainingInput,
)
from potentials.families.hdnnp import HDNNP
from potentials.families.lammps import LAMMPS_LINES
from potentials.families.n2p2 import N2P2

FAMILIES: dict[str, Family] = {family.name: family for family in (HDNNP, N2P2, AENET)}
"""Those that are trained, by the program that trains them."""

CATALOG: dict[str, CatalogFamily] = {
    **{family.name: family for family in FAMILIES.values() if family.catalog_name == family.name},
    LAMMPS_LINES.name: LAMMPS_LINES,
}
"""Those that potentials of the catalog belong to."""

__all__ = [
    "CATALOG",
    "FAMILIES",
    "Card",
    "CatalogFamily",
    "Curve",
    "Facts",
    "Family",
    "Outcome",
    "TrainingInput",
]
