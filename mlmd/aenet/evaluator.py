"""Energies, forces and stress of an aenet potential."""

from __future__ import annotations

import numpy as np

from mlmd.aenet.conversion import same_functions
from mlmd.aenet.potential import AenetPotential, ChebyshevBasis
from mlmd.aenet.tables import engine_tables
from mlmd.hdnnp.evaluator import AtomwiseEvaluator, EngineTables
from mlmd.hdnnp.kernel_network import network_tables
from mlmd.hdnnp.tables import function_tables


class AenetEvaluator(AtomwiseEvaluator):
    """Evaluates one aenet potential; see `AtomwiseEvaluator` for what it does.

    Args:
        potential: what to evaluate.
        threads: at most so many; None for ``NUMBA_NUM_THREADS`` or all cores of this process.
        skin: how much farther than the cutoff the neighbour list reaches, Å.
    """

    def __init__(
        self, potential: AenetPotential, threads: int | None = None, skin: float = 1.0
    ) -> None:
        self.potential = potential
        super().__init__(
            _tables(potential),
            potential.elements,
            potential.cutoff_radius,
            potential.parts[0].energy_scale,
            np.array([p.energy_shift + p.atom_energies[p.element] for p in potential.parts]),
            threads,
            skin,
        )


def _tables(potential: AenetPotential) -> EngineTables:
    if isinstance(potential.parts[0].basis, ChebyshevBasis):
        return engine_tables(potential)
    # The same functions as n2p2's; the tables then list them in n2p2's order.
    twin = same_functions(potential)
    functions, compact = function_tables(twin)
    return EngineTables(functions, compact, None, network_tables(twin))
