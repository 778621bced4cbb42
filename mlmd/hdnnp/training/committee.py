"""Several potentials from one run, and how far they disagree on frames none of them has seen.

Members share frames, held-out frames, symmetry functions and their derivatives; they differ in
their first weights and in the order of what they see. Where they disagree, none is to be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.hdnnp.files import save_potential
from mlmd.hdnnp.training.screening import group_of
from mlmd.hdnnp.training.setup import Setup
from mlmd.runs import read_json, to_jsonable, write_json_atomic

COMMITTEE_FILE = "committee.json"
VERSION = 1


@dataclass(frozen=True)
class FrameDisagreement:
    """What the members make of one frame.

    Args:
        frame: index among the selected frames.
        kind: kind of configuration.
        energy_spread: standard deviation over the members, meV/atom.
        force_spread: largest over the atoms of the root mean square distance of the members'
            force vectors from their mean, meV/Å.
        energy_error: of the first member, absolute, meV/atom, or None.
        force_error: of the first member, root mean square over components, meV/Å, or None.
    """

    frame: int
    kind: str
    energy_spread: float
    force_spread: float
    energy_error: float | None
    force_error: float | None


@dataclass(frozen=True)
class Committee:
    """The disagreement of a committee.

    Args:
        members: how many potentials.
        held_out: whether the frames below were held out; else they are training frames.
        energy_spread: root mean square over the frames, meV/atom.
        force_spread: root mean square over the frames, meV/Å.
        frames: one entry for each frame.
    """

    members: int
    held_out: bool
    energy_spread: float
    force_spread: float
    frames: tuple[FrameDisagreement, ...]


def member_folder(run_dir: Path, member: int) -> Path:
    """Return where a member keeps its learning curve and checkpoint; members count from 0."""
    return run_dir if member == 0 else run_dir / f"member-{member + 1}"


def potential_folder(member: int) -> str:
    """Return the name of the folder of a member's potential; members count from 0."""
    return f"potential-{member + 1}"


def write_committee(setup: Setup, weights: Sequence[FloatArray], run_dir: Path) -> None:
    """Write every member's potential, and ``committee.json``."""
    for member, values in enumerate(weights):
        save_potential(setup.potential(values), run_dir / potential_folder(member))
    frames = tuple(_disagreements(setup, weights))
    content = Committee(
        len(weights),
        bool(setup.validation),
        _rms([frame.energy_spread for frame in frames]),
        _rms([frame.force_spread for frame in frames]),
        frames,
    )
    write_json_atomic(run_dir / COMMITTEE_FILE, {"version": VERSION, **to_jsonable(content)})


def load_committee(path: Path) -> Committee:
    """Read ``committee.json``.

    Raises:
        InvalidInput: it is missing, damaged or of another version.
    """
    content = read_json(path)
    if content.pop("version", None) != VERSION:
        raise InvalidInput(str(path), "another version", f"version {VERSION}")
    try:
        content["frames"] = tuple(FrameDisagreement(**frame) for frame in content["frames"])
        return Committee(**content)
    except (KeyError, TypeError) as error:
        raise InvalidInput(str(path), f"entries that don't fit ({error})", "a committee") from error


def _disagreements(setup: Setup, weights: Sequence[FloatArray]) -> list[FrameDisagreement]:
    unit = 1000.0 / setup.conversion.conv_energy
    found = []
    for prepared in setup.store.visit(setup.validation or setup.training):
        said = [setup.model.predict(values, [prepared]) for values in weights]
        energies = unit * np.array([p.energies[0] for p in said]) / prepared.count
        forces = unit * np.array([p.forces[0] for p in said]).reshape(len(said), -1, 3)
        distances = np.sum((forces - forces.mean(axis=0)) ** 2, axis=2)
        energy_error = force_error = None
        if prepared.energy is not None:
            energy_error = abs(float(energies[0] - unit * prepared.energy / prepared.count))
        if prepared.forces is not None:
            errors = forces[0].ravel() - unit * prepared.forces
            force_error = float(np.sqrt(np.mean(errors**2)))
        found.append(
            FrameDisagreement(
                setup.survey.kept[prepared.index],
                group_of(setup.frames[prepared.index]),
                float(energies.std()),
                float(np.sqrt(distances.mean(axis=0).max())),
                energy_error,
                force_error,
            )
        )
    return found


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
