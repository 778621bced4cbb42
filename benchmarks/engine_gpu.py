"""Time the engine on a GPU beside all cores of the processor, or estimate it without a GPU.

    python benchmarks/engine_gpu.py [--repeats 79] [--steps 50] [--json]
    python benchmarks/engine_gpu.py --estimate [--multiprocessors 132] [--gigahertz 1.7]

Bcc iron with two screw dislocations, about 2·repeats³ atoms, default descriptors (types 2 and 9). Every step
moves all atoms as hot matter would in 1 fs; rebuilt neighbour lists and copies to and from the
card are inside the times.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from engine_cases import Case, iron

from mlmd.hdnnp.devices import gpu_trouble
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.neighbors import neighbor_list

SKIN = 1.0
LANES = 32


@dataclass(frozen=True)
class Timing:
    """Result; rates in atoms times steps a second."""

    case: str
    device: str
    threads: int
    gpu_rate: float
    cpu_rate: float
    rebuilds: int
    steps: int
    device_memory_mb: float
    force_error: float

    @property
    def ratio(self) -> float:
        """How many times faster than all cores."""
        return self.gpu_rate / self.cpu_rate


def walk(case: Case, compute: Callable[..., object], steps: int) -> float:
    """Return atoms times steps a second of a random walk of all atoms."""
    rng = np.random.default_rng(0)
    x = case.positions.copy()
    compute(case.numbers, x, case.cell, True)
    spent = 0.0
    for _ in range(steps):
        # About 0.01 Å per atom and step, straight on for as long as a list lives.
        x += rng.normal(size=x.shape) * 0.006
        start = time.perf_counter()
        compute(case.numbers, x, case.cell, True)
        spent += time.perf_counter() - start
    return len(x) * steps / spent


def measure(case: Case, steps: int) -> Timing:
    """Time both and compare their forces."""
    from numba import cuda

    from mlmd.hdnnp.gpu.evaluator import GpuEvaluator

    free, _ = cuda.current_context().get_memory_info()
    cpu, gpu = Evaluator(case.potential), GpuEvaluator(case.potential)
    arguments = case.numbers, case.positions, case.cell, True
    mine, theirs = gpu.compute(*arguments), cpu.compute(*arguments)
    error = np.abs(mine.forces - theirs.forces).max() / np.abs(theirs.forces).max()
    gpu_rate = walk(case, gpu.compute, steps)
    left, _ = cuda.current_context().get_memory_info()
    return Timing(
        case.name,
        str(cuda.get_current_device().name),
        cpu.threads,
        gpu_rate,
        walk(case, cpu.compute, max(2, steps // 20)),
        gpu.list_rebuilds,
        steps,
        (free - left) / 2**20,
        float(error),
    )


def instructions(case: Case) -> dict[str, float]:
    """Count what one group of lanes issues for one atom, by stage.

    The kernels' loops, times the instructions of a turn that the compiler made of each (PTX for
    compute capability 9.0). One element and one block of moments, as the case has it.
    """
    tables = Evaluator(case.potential, 1)._tables
    functions, networks = tables.functions, tables.networks
    small = iron(4)
    around = [
        len(neighbor_list(small.positions, small.cell, True, reach).neighbors) / len(small.numbers)
        for reach in (case.potential.cutoff_radius, case.potential.cutoff_radius + SKIN)
    ]
    rounds, listed = (np.ceil(count / LANES) for count in around)
    radial = len(functions.radial.eta)
    degree = int(functions.moments.degree.max())
    count = (degree + 1) ** 2
    orders = (degree + 1) * (degree + 2) / 2
    radials = len(functions.moments.eta)
    terms = len(functions.moments.zeta)
    nodes = networks.sizes[0]
    multiplied = sum(
        np.ceil(after / LANES) * before + np.ceil(before / LANES) * after
        for before, after in pairwise(nodes)
    )
    return {
        "neighbours": listed * 190,
        "radial functions": radial * (rounds * 27 + 25),
        "harmonics and factors": rounds * (orders * 39 + radials * 35),
        "moments": np.ceil(radials * count / LANES) * around[0] * 5.3,
        "products": np.ceil(terms / LANES) * (count * 5.3 + (degree + 1) * 15),
        "network and back": multiplied * 5.3 + 80 * len(nodes),
        "pull": terms * np.ceil(count / LANES) * 45,
        "forces of radial functions": rounds * radial * 59,
        "forces of moments": rounds
        * (count * radials * 11.3 + orders * 85 + (degree + 1) * 54 + radials * 73),
        "adding up": rounds * 80 + 200,
    }


def estimate(case: Case, multiprocessors: int, gigahertz: float) -> None:
    """Print the instructions of a step and the rates at one and two of them per clock."""
    counted = instructions(case)
    total = sum(counted.values())
    for stage, number in counted.items():
        print(f"{stage:28} {number:7.0f}  {number / total:4.0%}")
    print(f"{'instructions per atom':28} {total:7.0f}")
    for per_clock in (1.0, 2.0):
        rate = multiprocessors * gigahertz * 1e9 * per_clock / total
        print(f"at {per_clock:.0f} per clock and multiprocessor: {rate:.2g} atom-steps/s")


def main() -> None:
    """Parse the command line; print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=79)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--multiprocessors", type=int, default=132)
    parser.add_argument("--gigahertz", type=float, default=1.7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.estimate:
        estimate(iron(4), options.multiprocessors, options.gigahertz)
        return
    trouble = gpu_trouble()
    if trouble:
        raise SystemExit(f"{trouble}; --estimate needs none")
    timing = measure(iron(options.repeats), options.steps)
    if options.json:
        print(json.dumps({**asdict(timing), "ratio": timing.ratio}))
        return
    print(f"{timing.case} on {timing.device}")
    print(f"GPU                   {timing.gpu_rate:10.3g} atom-steps/s")
    print(f"{timing.threads:3} threads           {timing.cpu_rate:10.3g} atom-steps/s")
    print(f"ratio                 {timing.ratio:10.1f}")
    print(f"memory of the card    {timing.device_memory_mb:10.0f} MB")
    print(f"force error           {timing.force_error:10.1e} of the largest")
    print(f"lists built           {timing.rebuilds:10d} in {timing.steps} steps")


if __name__ == "__main__":
    main()
