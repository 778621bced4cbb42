"""The families of potentials that the site trains and uses."""

from potentials.families.aenet import AENET
from potentials.families.base import Card, Curve, Facts, Family, Outcome, TrainingInput
from potentials.families.hdnnp import HDNNP
from potentials.families.n2p2 import N2P2

FAMILIES: dict[str, Family] = {family.name: family for family in (HDNNP, N2P2, AENET)}

__all__ = ["FAMILIES", "Card", "Curve", "Facts", "Family", "Outcome", "TrainingInput"]
