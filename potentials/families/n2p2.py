"""The same neural networks, trained by n2p2's own programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import Effort
from mlmd.launch import Launch
from mlmd.n2p2 import (
    EPOCHS,
    PROGRAMS,
    N2p2Settings,
    N2p2Spec,
    collect,
    estimate_seconds,
    launch_of,
    prepare,
    read_learning_curve,
    settings_from,
)
from mlmd.n2p2.input_files import CURVE
from potentials.families.base import Curve, Family, Outcome, TrainingInput
from potentials.families.hdnnp import facts
from potentials.families.hdnnp_files import companions, pair_lines
from potentials.families.outcomes import automatic_lines, validation_of

MEV = 1000.0


def _read_settings(values: Mapping[str, Any]) -> N2p2Settings:
    return settings_from(values)


def _prepare(request: TrainingInput, folder: Path) -> Launch:
    spec = N2p2Spec(
        settings=request.settings,
        frames=request.frames,
        name=request.name,
        data_checksum=request.data_checksum,
        processes=request.threads,
    )
    return prepare(spec, folder)


def _collect(folder: Path) -> Outcome:
    result = collect(folder)
    return Outcome(
        files={path.name: path.read_bytes() for path in sorted(result.potential.iterdir())},
        facts=facts(load_potential(result.potential)),
        energy_rmse=result.validation.energy_rmse,
        force_rmse=result.validation.force_rmse,
        validation=validation_of(result),
        warnings=result.notices,
    )


def _read_curve(folder: Path) -> Curve:
    curve = read_learning_curve(folder / CURVE)
    return Curve(
        curve.epoch,
        (MEV * curve.energy_train, MEV * curve.energy_test),
        (MEV * curve.force_train, MEV * curve.force_test),
    )


N2P2 = Family(
    name="n2p2",
    title=_("Neural network, Behler–Parrinello, trained by n2p2"),
    short_title="n2p2",
    settings=N2p2Settings,
    presets={effort.value: {"epochs": EPOCHS[effort]} for effort in Effort},
    long_texts=("symmetry_functions", "extra_lines"),
    automatic_lines=lambda settings, elements: automatic_lines(settings.as_ours, elements),
    read_settings=_read_settings,
    estimate_seconds=estimate_seconds,
    prepare=_prepare,
    collect=_collect,
    companions=companions,
    lammps_lines=lambda card: "\n".join(pair_lines(card)),
    read_curve=_read_curve,
    engine=_("n2p2, nnp-train"),
    codes=PROGRAMS,
    makes="hdnnp",
    processes=True,
    launch=launch_of,
)
