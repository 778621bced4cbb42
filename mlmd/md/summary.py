"""Draws the summary of a run from its own files, so that it is the same however it came about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlmd import __version__
from mlmd.md.candidates import Candidates, read_candidates
from mlmd.md.committee import DISAGREEMENT_FILE, read_disagreement
from mlmd.md.results import (
    EXTRAPOLATION_FILE,
    MOTION_FILE,
    RADIAL_FILE,
    TRAJECTORY_FILE,
    Diffusion,
    FirstPeak,
    MDResult,
    RunStatus,
    StageSummary,
)
from mlmd.md.settings import MDSettings
from mlmd.md.thermo import read_thermo
from mlmd.runs import read_json
from mlmd.trajectory import TrajectoryReader

STRONG_DRIFT = 1.0  # meV per atom and ps: worth a warning


def summarise(
    run_dir: Path,
    settings: MDSettings,
    step: int,
    status: RunStatus,
    error: str,
    seconds: float,
    formula: str,
    rigid_bonds: int = 0,
) -> MDResult:
    """Return the summary of a run whose files are up to date.

    Args:
        run_dir: holds log, trajectory and analyses.
        settings: of the run.
        step: steps done.
        status: how it ended.
        error: why it failed; empty otherwise.
        seconds: computing time.
        formula: of the structure.
        rigid_bonds: how many.
    """
    with TrajectoryReader(run_dir / TRAJECTORY_FILE) as reader:
        frames, atoms = len(reader), len(reader.numbers)
    stages = summarise_stages(run_dir, settings, atoms, step)
    extrapolation = read_json(run_dir / EXTRAPOLATION_FILE)
    spread, spread_step = _largest_spread(run_dir)
    candidates = read_candidates(run_dir)
    return MDResult(
        status=status,
        steps=step,
        total_steps=settings.total_steps,
        atoms=atoms,
        formula=formula,
        time_ps=step * settings.time_step / 1000,
        frames=frames,
        seconds=seconds,
        seconds_per_atom_step=seconds / (step * atoms) if step else None,
        stages=stages,
        first_peaks=_first_peaks(run_dir),
        diffusion=_diffusion(run_dir),
        extrapolations=extrapolation["total"],
        extrapolating_atoms=extrapolation["atoms"],
        first_extrapolation=extrapolation["first_step"],
        warnings=(
            *_warnings(stages, extrapolation, atoms),
            *_disagreement_warnings(run_dir, settings, candidates),
        ),
        error=error,
        version=__version__,
        seed=settings.seed,
        largest_force_spread=spread,
        largest_force_spread_step=spread_step,
        candidates=len(candidates.chosen) if candidates else 0,
        rigid_bonds=rigid_bonds,
        settings=settings,
    )


def summarise_stages(
    run_dir: Path, settings: MDSettings, atoms: int, steps: int
) -> tuple[StageSummary, ...]:
    """Return averages over each stage that has begun, from the log."""
    table = read_thermo(run_dir)
    summaries, before = [], 0
    for index, stage in enumerate(settings.stages):
        done = min(max(steps - before, 0), stage.steps)
        before += stage.steps
        # The row at a stage's last step belongs to it; row 0 is the start.
        rows = {name: column[table["stage"] == index] for name, column in table.items()}
        if not done or not len(rows["step"]):
            continue
        summaries.append(
            StageSummary(
                index=index,
                kind=stage.kind.value,
                ensemble=stage.ensemble.value,
                steps=done,
                temperature=float(rows["temperature_k"].mean()),
                temperature_spread=float(rows["temperature_k"].std()),
                pressure=_mean(rows["pressure_gpa"]),
                density=_mean(rows["density_g_cm3"]),
                volume=_mean(rows["volume_a3"]),
                energy_drift=_drift(rows["time_ps"], rows["conserved_ev"], atoms),
            )
        )
    return tuple(summaries)


def _first_peaks(run_dir: Path) -> tuple[FirstPeak, ...]:
    content: dict[str, Any] = read_json(run_dir / RADIAL_FILE)
    return tuple(
        FirstPeak((pair[0], pair[1]), peak["position"], peak["height"], peak["coordination"])
        for pair, peak in zip(content["pairs"], content["peaks"], strict=True)
        if peak is not None
    )


def _largest_spread(run_dir: Path) -> tuple[float | None, int | None]:
    if not (run_dir / DISAGREEMENT_FILE).is_file():
        return None, None
    table = read_disagreement(run_dir)
    spreads = table["largest_force_spread_mev_per_a"]
    if not len(spreads):
        return None, None
    worst = int(spreads.argmax())
    return float(spreads[worst]), int(table["step"][worst])


def _diffusion(run_dir: Path) -> tuple[Diffusion, ...]:
    if not (run_dir / MOTION_FILE).is_file():
        return ()
    names = ("element", "value", "error", "exponent", "is_diffusive")
    entries = read_json(run_dir / MOTION_FILE)["diffusion"]
    return tuple(Diffusion(**{name: entry[name] for name in names}) for entry in entries)


def _warnings(stages: tuple[StageSummary, ...], summary: dict[str, Any], atoms: int) -> list[str]:
    found = [
        f"Stage {stage.index + 1}: the conserved energy drifts by {stage.energy_drift:.2g} "
        "meV per atom and ps; take a smaller time step."
        for stage in stages
        if stage.energy_drift is not None and abs(stage.energy_drift) > STRONG_DRIFT
    ]
    if summary["total"]:
        found.append(
            f"The potential left its training range {summary['total']} times, at {summary['atoms']} "
            f"of {atoms} atoms, first at step {summary['first_step']}."
        )
    return found


def _disagreement_warnings(
    run_dir: Path, settings: MDSettings, candidates: Candidates | None
) -> list[str]:
    if not (run_dir / DISAGREEMENT_FILE).is_file():
        return []
    found = []
    table = read_disagreement(run_dir)
    if settings.disagreement_limit is not None:
        passed = table["largest_force_spread_mev_per_a"] > settings.disagreement_limit
        if passed.any():
            found.append(
                f"The committee disagrees by more than {settings.disagreement_limit:g} meV/Å at "
                f"{np.count_nonzero(passed)} of {len(passed)} stored frames, first at step "
                f"{int(table['step'][passed.argmax()])}."
            )
    if settings.candidates and candidates is not None and candidates.levels is None:
        found.append(
            "No candidates were put aside: the committee came without committee.json, and "
            "candidate_lower and candidate_upper aren't both set."
        )
    return found


def _mean(values: Any) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _drift(times_ps: Any, energies: Any, atoms: int) -> float | None:
    if len(times_ps) < 3 or np.ptp(times_ps) <= 0:
        return None
    return float(np.polyfit(times_ps, energies, 1)[0] * 1000 / atoms)
