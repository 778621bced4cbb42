"""Compiles every kernel for a compute capability without a GPU and prints what came out, as JSON.

python tests/mlmd/gpu/compiled.py 9.0
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent / "hdnnp")]

import nvidia  # noqa: E402
from conftest import make_potential  # noqa: E402
from numba import cuda, typeof, types  # noqa: E402
from numba.cuda import dispatcher  # noqa: E402

from mlmd.hdnnp.evaluator import Evaluator  # noqa: E402
from mlmd.hdnnp.gpu import kernel_atoms, kernel_list  # noqa: E402
from mlmd.hdnnp.gpu.lanes import MOST_REGISTERS  # noqa: E402
from mlmd.hdnnp.gpu.layout import gpu_tables, groups_per_block, layout_for, table_sizes  # noqa: E402

PLAIN = re.compile(r"^\s*(?:@\S+ )?((?:add|sub|mul|fma|div|sqrt|ex2|max|min)\.[\w.]*f64)\b", re.M)
GENERIC = re.compile(r"^\s*(?:@\S+ )?(?:ld|st)\.[fsub]\d+", re.M)


def kernels() -> dict:
    """Return each kernel with arguments of the types that it is started with."""
    evaluator = Evaluator(make_potential(), 1)
    functions, networks = evaluator._tables.functions, evaluator._tables.networks
    tables = gpu_tables(functions, networks, 1.0)
    layout = layout_for(table_sizes(functions, networks), 128)
    x, i, long = np.zeros((1, 3)), np.zeros(1, np.int32), np.zeros(1, np.int64)
    real, number = np.zeros(1, np.float32), np.zeros(1)
    wraps = np.zeros((1, 3), np.int32)
    around = kernel_atoms.Around(x, i, i, long, i, x, 5)
    results = kernel_atoms.DeviceResults(
        real,
        np.zeros((1, 3), np.int64),
        np.zeros((1, 6), np.int64),
        np.zeros((1, 1), np.float32),
        np.zeros((1, 2), np.int32),
        real,
        i,
    )
    grid = kernel_list.Grid(
        (1, 1, 1), (1, 1, 1), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1, 1, 1), (1, 1, 1)
    )
    search = (x, x, i, i, i, grid, 1.0, 5, 3, long, i)
    return {
        "evaluate_atoms": (kernel_atoms, (tables, around, layout, 2, results)),
        "clear_results": (kernel_atoms, (results,)),
        "put_in_bins": (kernel_list, (x, x, grid, wraps, i, i)),
        "fill_bins": (kernel_list, (i, i, i, i)),
        "sort_bins": (kernel_list, (i, i)),
        "take_along": (kernel_list, (i, i, i, i, i)),
        "place_atoms": (kernel_list, (x, x, i, wraps, x, x, x, number)),
        "list_neighbors": (kernel_list, search),
        "unsort_forces": (kernel_list, (i, results.forces, 1.0, x)),
    }, groups_per_block(layout)


def main() -> None:
    """Compile all and count registers, spilled bytes and arithmetic in double precision."""
    capability = tuple(int(part) for part in sys.argv[1].split("."))
    # Functions inside kernels are compiled for the GPU that is there.
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    assembler = Path(next(iter(nvidia.__path__))) / "cuda_nvcc" / "bin" / "ptxas"
    found = {}
    listed, groups = kernels()
    for name, (module, arguments) in listed.items():
        text, _ = cuda.compile(
            getattr(module, name).py_func,
            types.void(*(typeof(argument) for argument in arguments)),
            device=False,
            abi="numba",
            cc=capability,
            fastmath=True,
        )
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "kernel.ptx").write_text(text)
            said = subprocess.run(
                [
                    str(assembler),
                    "-v",
                    f"--maxrregcount={MOST_REGISTERS}",
                    f"-arch=sm_{capability[0]}{capability[1]}",
                    "kernel.ptx",
                    "-o",
                    "kernel.cubin",
                ],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            ).stderr
        found[name] = {
            "registers": int(re.search(r"Used (\d+) registers", said).group(1)),
            "spilled": int(re.search(r"(\d+) bytes spill stores", said).group(1)),
            "parameters": int(
                re.search(r"(\d+) bytes cmem\[0\]", said + " 0 bytes cmem[0]").group(1)
            ),
            "double": len(PLAIN.findall(text)),
            "generic": len(GENERIC.findall(text)),
            "calls": len(re.findall(r"\bcall(?:\.uni)?\b", text)),
        }
    print(json.dumps({"groups": groups, "kernels": found}))


if __name__ == "__main__":
    main()
