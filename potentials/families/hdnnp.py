"""Behler–Parrinello high-dimensional neural-network potentials, in n2p2's format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.repulsion import ZBL, read_repulsion
from mlmd.hdnnp.training import (
    COMMITTEE_FILE,
    CURVE_FILE,
    POTENTIAL_FOLDER,
    Effort,
    TrainingSettings,
    TrainingSpec,
    collect,
    estimate_seconds,
    launch_of,
    load_committee,
    prepare,
    preset,
    settings_from,
)
from mlmd.lammps import PairStyle, hdnnp_style, with_repulsion
from mlmd.launch import Launch
from potentials.committees import committee_archive
from potentials.families.base import Curve, Facts, Family, Outcome, TrainingInput
from potentials.families.hdnnp_files import companions, pair_lines
from potentials.families.outcomes import automatic_lines, validation_of
from potentials.tables import read_table

# What the effort decides; everything else keeps its default.
BY_EFFORT = ("epochs", "patience")


def _presets() -> dict[str, dict[str, Any]]:
    return {
        effort.value: {name: getattr(preset(effort), name) for name in BY_EFFORT}
        for effort in Effort
    }


def _read_settings(values: Mapping[str, Any]) -> TrainingSettings:
    return settings_from(dict(values))


def _prepare(request: TrainingInput, folder: Path) -> Launch:
    spec = TrainingSpec(
        settings=request.settings,
        frames=request.frames,
        name=request.name,
        data_checksum=request.data_checksum,
        threads=request.threads,
    )
    return prepare(spec, folder)


def facts(potential: Potential) -> Facts:
    """Return what the files of a neural network say."""
    fitted = sum(
        weights.size + biases.size
        for network in potential.networks.values()
        for weights, biases in zip(network.weights, network.biases, strict=True)
    )
    return Facts(
        elements=potential.elements,
        cutoff_radius=potential.cutoff_radius,
        length_unit=potential.units.length,
        energy_unit=potential.units.energy,
        parameters=fitted,
    )


def _collect(folder: Path) -> Outcome:
    result = collect(folder)
    directory = folder / POTENTIAL_FOLDER
    return Outcome(
        files={path.name: path.read_bytes() for path in sorted(directory.iterdir())},
        committee=committee_archive(folder),
        facts=facts(load_potential(directory)),
        energy_rmse=result.validation.energy_rmse,
        force_rmse=result.validation.force_rmse,
        validation={
            **validation_of(result),
            "seconds": result.seconds,
            **_committee(folder / COMMITTEE_FILE),
        },
        warnings=tuple(notice.text for notice in result.notices),
    )


def _committee(path: Path) -> dict[str, Any]:
    """Return how far the members of a committee disagree; nothing where only one was trained."""
    if not path.is_file():
        return {}
    found = load_committee(path)
    names = ("members", "held_out", "energy_spread", "force_spread")
    return {"committee": {name: getattr(found, name) for name in names}}


def _read_curve(folder: Path) -> Curve:
    table = read_table(folder / CURVE_FILE)

    def both(column: str) -> Any:
        return table.numbers(f"train_{column}"), table.numbers(f"validation_{column}")

    return Curve(
        table.numbers("epoch"), both("energy_rmse_mev_per_atom"), both("force_rmse_mev_per_a")
    )


def _style(found: Facts, files: Mapping[str, bytes]) -> PairStyle:
    style = hdnnp_style(found.elements, found.cutoff_radius, found.length_unit, found.energy_unit)
    return with_repulsion(style, read_repulsion(files[ZBL])) if ZBL in files else style


HDNNP = Family(
    name="hdnnp",
    pair_style=_style,
    lammps_package="ML-HDNNP",
    title=_("Neural network, Behler–Parrinello"),
    short_title="HDNNP",
    settings=TrainingSettings,
    presets=_presets(),
    long_texts=("symmetry_functions", "kind_weights"),
    automatic_lines=automatic_lines,
    read_settings=_read_settings,
    estimate_seconds=estimate_seconds,
    prepare=_prepare,
    collect=_collect,
    companions=companions,
    lammps_lines=lambda card: "\n".join(pair_lines(card)),
    read_curve=_read_curve,
    engine=_("our own engine, mlmd"),
    launch=launch_of,
)
