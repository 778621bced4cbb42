"""The families of potentials that the site trains and uses."""

from potentials.families.base import Card, Facts, Family, Outcome, TrainingInput
from potentials.families.hdnnp import HDNNP

FAMILIES: dict[str, Family] = {family.name: family for family in (HDNNP,)}

__all__ = ["FAMILIES", "Card", "Facts", "Family", "Outcome", "TrainingInput"]
