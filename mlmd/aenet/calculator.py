"""An aenet potential as a calculator of the Atomic Simulation Environment."""

from __future__ import annotations

from pathlib import Path

from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import load_aenet
from mlmd.aenet.potential import AenetPotential
from mlmd.hdnnp.calculator import PotentialCalculator


class AenetCalculator(PotentialCalculator):
    """An aenet potential as a calculator.

    Args:
        potential: a potential, or the folder of its network files.
        threads: at most so many.
    """

    def __init__(self, potential: AenetPotential | Path | str, threads: int | None = None) -> None:
        if not isinstance(potential, AenetPotential):
            potential = load_aenet(potential)
        super().__init__(AenetEvaluator(potential, threads))
