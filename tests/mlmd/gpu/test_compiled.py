"""The GPU's kernels, compiled to machine code for two kinds of card without having one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason='no CUDA compiler for Numba here: pip install "numba-cuda[cu12]"',
)


@pytest.mark.parametrize("capability", ["8.0", "9.0"])
def test_every_kernel_compiles_and_stays_in_registers_and_single_precision(capability):
    done = subprocess.run(
        [sys.executable, str(HERE / "compiled.py"), capability],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["groups"] == 2
    for kernel in found["kernels"].values():
        # All is pasted into one kernel, and shared memory is read as such.
        assert kernel["calls"] == 0
        assert kernel["generic"] == 0
        # What old drivers take.
        assert kernel["parameters"] < 4096
        assert kernel["spilled"] == 0
    large = found["kernels"]["evaluate_atoms"]
    assert large["registers"] <= 128
    # Differences of positions and the scaling of functions; a forgotten constant adds hundreds.
    assert large["double"] <= 16
