"""The saved state of a run: everything that the next step depends on."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import FormatError, InvalidInput
from mlmd.md.forces import FloatArray
from mlmd.md.system import System
from mlmd.runs import to_jsonable, write_bytes_atomic

RESTART_FILE = "restart.npz"
VERSION = 1
_ARRAYS = ("positions", "velocities", "cell", "forces", "stress")


@dataclass(frozen=True)
class RestartState:
    """What `load_restart` found.

    Args:
        step: steps done.
        numbers: atomic numbers, shape (N,).
        arrays: positions, velocities, cell, forces and stress by name.
        energy: potential energy, eV.
        memory: the integrator's own numbers.
        stage: index of the stage they belong to.
        conserved_offset: what makes the conserved energy go on across stages, eV.
        random: state of the random numbers.
        settings: settings of the run, as JSON.
        extrapolations: summary of the warnings so far.
        seconds: computing time so far.
    """

    step: int
    numbers: NDArray[np.int64]
    arrays: dict[str, FloatArray]
    energy: float
    memory: FloatArray
    stage: int
    conserved_offset: float
    random: dict[str, Any]
    settings: dict[str, Any]
    extrapolations: dict[str, Any]
    seconds: float

    def apply(self, system: System) -> None:
        """Bring a system of the same atoms into this state.

        Raises:
            InvalidInput: the system holds other atoms.
        """
        if not np.array_equal(system.numbers, self.numbers):
            raise InvalidInput(
                RESTART_FILE,
                f"a state of {len(self.numbers)} atoms of another structure",
                f"the {len(system.numbers)} atoms of this run",
                "Use an empty directory for a new run.",
            )
        system.step, system.energy = self.step, self.energy
        for name in _ARRAYS:
            setattr(system, name, self.arrays[name].copy())


def save_restart(run_dir: Path, system: System, state: dict[str, Any], memory: FloatArray) -> None:
    """Replace the saved state in one step.

    Args:
        run_dir: the run's directory.
        system: what moves.
        state: the further entries of `RestartState`, as JSON.
        memory: the integrator's own numbers.
    """
    entries = {"version": VERSION, "step": system.step, "energy": system.energy} | state
    content = io.BytesIO()
    arrays = {name: np.asarray(getattr(system, name), dtype=np.float64) for name in _ARRAYS}
    np.savez(
        content,
        allow_pickle=False,
        numbers=system.numbers,
        memory=memory,
        state=np.array(json.dumps(to_jsonable(entries))),
        **arrays,
    )
    write_bytes_atomic(run_dir / RESTART_FILE, content.getvalue())


def load_restart(run_dir: Path) -> RestartState | None:
    """Return the saved state, or None where there is none.

    Raises:
        FormatError: the file is damaged or of another version.
    """
    path = run_dir / RESTART_FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            state = json.loads(str(content["state"]))
            arrays = {name: np.array(content[name], dtype=np.float64) for name in _ARRAYS}
            numbers, memory = np.array(content["numbers"]), np.array(content["memory"])
        if state.pop("version") != VERSION:
            raise ValueError("another version")
        return RestartState(numbers=numbers, arrays=arrays, memory=memory, **state)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise FormatError(
            str(path),
            f"not readable ({error})",
            f"a saved state of version {VERSION}",
            "Remove the file to start the run from the beginning.",
        ) from error
