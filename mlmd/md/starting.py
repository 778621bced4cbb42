"""The system that a run begins with: structure, potential, and what the settings hold in place."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.md.forces import ForceProvider, NoForces
from mlmd.md.holding import held_atoms, parse_bonds, with_held
from mlmd.md.rigid import find_bonds
from mlmd.md.settings import WHERE, MDSettings
from mlmd.md.system import System, system_from_atoms


def start_system(settings: MDSettings, atoms: Atoms, provider: ForceProvider) -> System:
    """Return the system of a run, at rest or with the structure's own velocities.

    Args:
        settings: say which atoms are fixed and which bonds rigid, beside the structure's own
            constraints.
        atoms: the structure.
        provider: gives energy and forces.

    Raises:
        InvalidInput: as of `system_from_atoms`; or atoms, elements or bonds that the structure
            doesn't have; or a pressure that can't be held.
    """
    held = held_atoms(
        atoms, settings.fixed_atoms, settings.fixed_elements, settings.fixed_below, WHERE
    )
    structure = with_held(atoms, held)
    system = system_from_atoms(structure, provider)
    _check_pressure(system, settings)
    rules = parse_bonds(settings.rigid_bonds, f"{WHERE}: rigid_bonds")
    if not rules:
        return system
    if not np.array_equal(system.free.all(axis=1), system.free.any(axis=1)):
        raise InvalidInput(
            "structure",
            "atoms that are held along some directions only, and rigid bonds",
            "atoms that are held altogether or not at all",
        )
    inverse = np.where(system.free[:, 0], 1.0 / system.inertia[:, 0], 0.0)
    bonds, positions = find_bonds(structure, rules, inverse)
    system.hold_bonds(bonds, positions)
    return system


def check_start(settings: MDSettings, atoms: Atoms) -> int:
    """Hold what the settings keep in place against the structure, before there is a potential.

    Returns:
        How many bonds are rigid.

    Raises:
        InvalidInput: as of `start_system`.
    """
    return start_system(settings, atoms, NoForces()).bond_count


def _check_pressure(system: System, settings: MDSettings) -> None:
    if not any(stage.ensemble.moves_cell for stage in settings.stages):
        return
    if not all(system.pbc):
        raise InvalidInput(
            "structure",
            "a cell that isn't periodic throughout",
            "three periodic directions",
            "Constant pressure needs a volume: choose NVE or NVT.",
        )
    if system.has_fixed:
        raise InvalidInput(
            "structure", "fixed atoms", "free ones", "Constant pressure moves all atoms."
        )
