"""How many atoms and frames per second the analyses take, on one core.

Run: ``python -m benchmarks.analysis [atoms]``. The figure to beat for partial g(r) to 10 Å is
4.2e5 atom·frames/s (a prototype for orthorhombic cells only); OVITO reached 5.9e4.
"""

import os
import sys
import time

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np

from mlmd.analysis import mean_squared_displacement, structure_factor
from mlmd.analysis.bins import make_bins
from mlmd.analysis.pairs import count_distances, count_neighbors

DENSITY = 0.066  # atoms/Å³, as in silica


def measure(name: str, work: int, call) -> None:
    call()
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    print(f"{name:44s} {seconds:8.3f} s   {work / seconds:10.3g} atom·frames/s")


def main(atoms: int) -> None:
    rng = np.random.default_rng(0)
    length = (atoms / DENSITY) ** (1 / 3)
    skewed = np.array([[1.0, 0, 0], [0.3, 1.0, 0], [-0.2, 0.1, 1.0]]) * length
    fractional = rng.uniform(0, 1, (atoms, 3))
    kinds = rng.integers(0, 2, atoms)
    pbc = (True, True, True)
    for name, cell in (("orthorhombic", np.eye(3) * length), ("triclinic", skewed)):
        positions = fractional @ cell
        measure(
            f"partial g(r) to 10 Å, {name}",
            atoms,
            lambda p=positions, c=cell: count_distances(p, c, pbc, kinds, 2, 10.0, 400),
        )
        measure(
            f"  of which bins, {name}",
            atoms,
            lambda p=positions, c=cell: make_bins(p, c, pbc, 10.0),
        )
        measure(
            f"coordination to 2.2 Å, {name}",
            atoms,
            lambda p=positions, c=cell: count_neighbors(p, c, pbc, kinds, np.full((2, 2), 2.2)),
        )
    cell = np.eye(3) * length
    measure(
        "partial S(q) to 5 1/Å, one frame",
        atoms,
        lambda: structure_factor([fractional @ cell], [cell], 14 - 6 * kinds, 5.0),
    )
    frames = 2000
    walk = rng.normal(0, 0.1, (frames, 1000, 3)).cumsum(axis=0)
    measure(
        "mean squared displacement, 2000 frames",
        frames * 1000,
        lambda: mean_squared_displacement(walk, [14] * 1000, 0.01),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 97_000)
