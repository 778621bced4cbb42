"""The potential against every energy, force and stress of the teacher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mlmd.frame import FloatArray
from mlmd.hdnnp.training.screening import group_of
from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.comparison import Prediction
from mlmd.validation.report import Cell, Plot, Table, Value, line, points
from mlmd.validation.subject import Findings, Skipped, Subject

ENERGY, FORCE, STRESS = "Energy error", "Force error", "Stress error"
ALIGNED = "Energy error, zeros aligned"
LARGEST = "Largest force error"
ENERGY_INSIDE, FORCE_INSIDE = (
    "Energy error, frames within the trained range", "Force error, frames within the trained range",
)  # fmt: skip
BY_KIND, BY_ELEMENT = "Errors by kind of configuration", "Errors by element"
ENERGIES, FORCES, STRESSES = "Energies", "Forces", "Stresses"
FRAMES, EQUAL = "frames", "equal"
KIND_COLUMNS = (
    "kind", "frames", "energy RMSE (meV/atom)", "energy MAE (meV/atom)", "force RMSE (meV/Å)",
    "force MAE (meV/Å)", "stress RMSE (GPa)",
)  # fmt: skip
ELEMENT_COLUMNS = ("element", "atoms", "force RMSE (meV/Å)", "force MAE (meV/Å)")
UNITS = ("eV/atom", "eV/Å", "GPa")  # of energies, forces and stresses
_MOST_POINTS = 3000  # of a plot
_OFFSET = 50.0  # meV/atom: a mean error beyond is another zero of energy


@dataclass(frozen=True)
class Errors:
    """Differences, potential minus teacher.

    Args:
        energy: one for each frame with an energy, meV/atom.
        force: components, meV/Å.
        stress: six components of each frame with stress, GPa.
    """

    energy: FloatArray
    force: FloatArray
    stress: FloatArray


def check_parity(subject: Subject) -> Findings:
    """Compare energies, forces and stress over all frames, by kind and by element."""
    comparison = subject.comparison
    found = comparison.predictions
    notes = [
        f"{count} frames were left out: {reason}." for reason, count in comparison.refused.items()
    ]
    if not found:
        raise Skipped(" ".join(notes) or "No teacher data were given.")
    errors = _errors(found)
    values = [
        Value(ENERGY, _rms(errors.energy), "meV/atom"),
        Value(FORCE, _rms(errors.force), "meV/Å"),
        Value(STRESS, _rms(errors.stress), "GPa"),
        Value(LARGEST, float(np.abs(errors.force).max()) if len(errors.force) else None, "meV/Å"),
    ]
    if len(errors.energy) and abs(errors.energy.mean()) > _OFFSET:
        values.insert(1, Value(ALIGNED, _aligned(found), "meV/atom"))
        notes.append(
            f"The energies differ by {errors.energy.mean():.0f} meV/atom on average: the potential "
            "counts from another zero. The aligned error allows one offset for each element."
        )
    inside = [item for item in found if not len(item.extrapolations)]
    if 0 < len(inside) < len(found):
        known = _errors(inside)
        values += [
            Value(ENERGY_INSIDE, _rms(known.energy), "meV/atom"),
            Value(FORCE_INSIDE, _rms(known.force), "meV/Å"),
        ]
        notes.append(
            f"In {len(found) - len(inside)} of {len(found)} frames atoms are outside the range that the "
            "potential was trained in: such frames were left out of its training, or are new to it."
        )
    groups: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in found:
        groups[group_of(prediction.frame)].append(prediction)
    rows = tuple(_kind_row(kind, group) for kind, group in sorted(groups.items()))
    tables = (
        Table(BY_KIND, KIND_COLUMNS, rows),
        Table(BY_ELEMENT, ELEMENT_COLUMNS, _element_rows(found)),
    )
    return Findings(tuple(values), _plots(found, subject.settings.seed), tables, tuple(notes))


def _errors(found: Sequence[Prediction]) -> Errors:
    energy, force, stress = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for item in found:
        frame = item.frame
        if frame.energy is not None:
            energy.append(np.array([1000 * (item.energy - frame.energy) / len(frame)]))
        if frame.forces is not None:
            force.append(1000 * (item.forces - frame.forces).ravel())
        if frame.stress is not None and item.stress is not None:
            stress.append(_six(item.stress - frame.stress))
    return Errors(np.concatenate(energy), np.concatenate(force), np.concatenate(stress))


def _aligned(found: Sequence[Prediction]) -> float | None:
    """Return the energy error after a least-squares offset for each element, meV/atom."""
    rows = [item for item in found if item.frame.energy is not None]
    elements = sorted({int(z) for item in rows for z in item.frame.numbers})
    shares = np.array([[np.mean(item.frame.numbers == z) for z in elements] for item in rows])
    errors = _errors(rows).energy
    offsets = np.linalg.lstsq(shares, errors, rcond=None)[0]
    return _rms(errors - shares @ offsets)


def _kind_row(kind: str, group: Sequence[Prediction]) -> tuple[Cell, ...]:
    errors = _errors(group)
    numbers = (
        _rms(errors.energy), _mean(errors.energy), _rms(errors.force), _mean(errors.force),
        _rms(errors.stress),
    )  # fmt: skip
    return (kind, len(group), *map(_short, numbers))


def _element_rows(found: Sequence[Prediction]) -> tuple[tuple[Cell, ...], ...]:
    parts: dict[int, list[FloatArray]] = defaultdict(list)
    for item in found:
        if item.frame.forces is not None:
            errors = 1000 * (item.forces - item.frame.forces)
            for z in np.unique(item.frame.numbers):
                parts[int(z)].append(errors[item.frame.numbers == z].ravel())
    rows: list[tuple[Cell, ...]] = []
    for z, pieces in sorted(parts.items()):
        joined = np.concatenate(pieces)
        errors_of_element = (_short(_rms(joined)), _short(_mean(joined)))
        rows.append((chemical_symbols[z], len(joined) // 3, *errors_of_element))
    return tuple(rows)


def _plots(found: Sequence[Prediction], seed: int) -> tuple[Plot, ...]:
    rng = np.random.Generator(np.random.PCG64(seed))
    pairs: dict[str, list[FloatArray]] = {ENERGIES: [], FORCES: [], STRESSES: []}
    for item in found:
        frame = item.frame
        if frame.energy is not None:
            pairs[ENERGIES].append(np.array([[frame.energy, item.energy]]) / len(frame))
        if frame.forces is not None:
            pairs[FORCES].append(np.stack([frame.forces.ravel(), item.forces.ravel()], axis=1))
        if frame.stress is not None and item.stress is not None:
            pairs[STRESSES].append(np.stack([_six(frame.stress), _six(item.stress)], axis=1))
    plots = []
    for (title, parts), name, unit in zip(
        pairs.items(), ("energy", "force", "stress"), UNITS, strict=True
    ):
        if parts:
            rows = _sample(np.concatenate(parts), rng)
            ends = [float(rows.min()), float(rows.max())]
            plots.append(
                Plot(
                    f"parity-{name}",
                    title,
                    f"teacher ({unit})",
                    f"potential ({unit})",
                    (points(FRAMES, rows[:, 0], rows[:, 1]), line(EQUAL, ends, ends)),
                )
            )
    return tuple(plots)


def _sample(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return what fits in a plot: the worst always, of the others a fair share."""
    if len(rows) <= _MOST_POINTS:
        return rows
    worst: NDArray[np.int64] = np.argsort(-np.abs(rows[:, 1] - rows[:, 0]))
    chosen = rng.choice(worst[_MOST_POINTS // 10 :], _MOST_POINTS * 9 // 10, replace=False)
    return np.asarray(rows[np.concatenate([worst[: _MOST_POINTS // 10], chosen])])


def _six(stress: FloatArray) -> FloatArray:
    return np.asarray(stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] * EV_PER_A3_IN_GPA)


def _rms(errors: FloatArray) -> float | None:
    return float(np.sqrt(np.mean(errors * errors))) if len(errors) else None


def _mean(errors: FloatArray) -> float | None:
    return float(np.mean(np.abs(errors))) if len(errors) else None


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")
