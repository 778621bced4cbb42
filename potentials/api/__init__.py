"""The API of potentials, trainings and MD runs: the same selectors and services as the pages."""

from potentials.api.potentials import PotentialViewSet
from potentials.api.simulations import SimulationViewSet
from potentials.api.trainings import TrainingViewSet

__all__ = ["PotentialViewSet", "SimulationViewSet", "TrainingViewSet"]
