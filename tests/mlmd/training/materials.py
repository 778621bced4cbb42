"""Small labelled frames of many materials from a pair potential whose forces are exact."""

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers

from mlmd.frame import Calculation, Frame
from mlmd.neighbors import neighbor_list

CUTOFF = 5.0
CUBE = np.eye(3)


def label(symbols: Sequence[str], positions, cell, pbc=True, kind="", **more) -> Frame:
    """Return the frame with energy and forces of a smooth repulsive–attractive pair potential."""
    numbers = np.array([atomic_numbers[s] for s in symbols], np.uint8)
    positions = np.asarray(positions, float)
    near = neighbor_list(positions, cell, (pbc,) * 3, CUTOFF)
    centers = np.repeat(np.arange(len(numbers)), np.diff(near.first))
    r = np.linalg.norm(near.vectors, axis=1)
    depth = 0.3 + 0.02 * np.sqrt(numbers[centers] * numbers[near.neighbors].astype(float)) / 10
    x = r / CUTOFF
    smooth, slope = (1 - x * x) ** 3, -6 * x / CUTOFF * (1 - x * x) ** 2
    well = np.exp(-2 * (r - 2.5)) - 2 * np.exp(-(r - 2.5))
    well_slope = -2 * np.exp(-2 * (r - 2.5)) + 2 * np.exp(-(r - 2.5))
    energy = 0.5 * float(np.sum(depth * well * smooth))
    pull = depth * (well_slope * smooth + well * slope) / r
    forces = np.zeros((len(numbers), 3))
    np.add.at(forces, centers, pull[:, None] * near.vectors)
    energy -= 3.0 * float(np.sum(numbers))
    known = {"energy": energy, "forces": forces, "label_source": "ab initio", **more}
    return Frame(numbers, positions, np.asarray(cell, float), (pbc,) * 3, kind=kind, **known)


def crystal(symbols: Sequence[str], count: int, seed: int = 0, size: float = 2.7, **more):
    """Return distorted cubic cells of 8 sites that the symbols fill in turn."""
    generator = np.random.default_rng(seed)
    sites = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    frames = []
    for _ in range(count):
        filled = [symbols[(n + int(generator.integers(8))) % len(symbols)] for n in range(8)]
        filled[: len(symbols)] = list(symbols)[:8]
        a = size * generator.uniform(0.95, 1.1)
        positions = a * sites + generator.normal(0, 0.12, (8, 3))
        frames.append(label(filled, positions, 2 * a * CUBE, **more))
    return frames


def molecules(count: int, seed: int = 0, **more) -> list[Frame]:
    """Return bent three-atom molecules without a cell."""
    generator = np.random.default_rng(seed)
    shape = np.array([[0.0, 0.0, 0.0], [1.0, 0.3, 0.0], [-0.9, 0.4, 0.0]])
    return [
        label("OHH", shape + generator.normal(0, 0.08, (3, 3)), np.zeros((3, 3)), False, **more)
        for _ in range(count)
    ]


def mixture() -> list[Frame]:
    """Return frames of two levels of theory."""
    first = Calculation(code="vasp", functional="PBE", cutoff_energy=400.0)
    second = Calculation(code="vasp", functional="SCAN", cutoff_energy=400.0)
    return crystal(["Si"], 3, calculation=first) + crystal(["Si"], 3, calculation=second)
