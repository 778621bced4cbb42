"""Networks of aenet, with Chebyshev or symmetry functions, trained by aenet's own programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from mlmd.aenet.conversion import as_n2p2
from mlmd.aenet.files import is_network, load_aenet, read_network
from mlmd.aenet.input_files import POTENTIAL_FOLDER, TRAIN_LOG
from mlmd.aenet.launching import PROGRAMS, AenetSpec, estimate_seconds, launch_of, prepare
from mlmd.aenet.outputs import read_learning_curve
from mlmd.aenet.potential import AenetPotential
from mlmd.aenet.results import collect
from mlmd.aenet.settings import EPOCHS, AenetSettings, FunctionKind, settings_from
from mlmd.aenet.writing import Form, network_bytes
from mlmd.errors import InvalidInput
from mlmd.hdnnp.training import Effort
from mlmd.lammps.pair_styles import PairStyle, aenet_style
from mlmd.launch import Launch
from potentials.families.base import Card, Curve, Facts, Family, Outcome, TrainingInput
from potentials.families.hdnnp_files import example_files
from potentials.families.outcomes import automatic_lines, validation_of

MEV = 1000.0
LITTLE_ENDIAN = b"\4\0\0\0"  # how a binary file of today's machines begins


def file_name(element: str) -> str:
    """Return the name of an element's network in the catalog; LAMMPS takes ``nn`` for all."""
    return f"{element}.nn"


def catalog_files(folder: Path) -> dict[str, bytes]:
    """Return the network files of a folder by their names in the catalog.

    Binary ones stay as they are; others are made binary, which aenet's programs and LAMMPS read.
    """
    files = {}
    for path in sorted(path for path in folder.iterdir() if is_network(path)):
        part, content = read_network(path), path.read_bytes()
        is_plain = content.startswith(LITTLE_ENDIAN)
        files[file_name(part.element)] = content if is_plain else network_bytes(part, Form.BINARY)
    return files


def facts(potential: AenetPotential) -> Facts:
    """Return what the files of aenet say; its programs know Å and eV only by convention."""
    return Facts(
        elements=potential.elements,
        cutoff_radius=potential.cutoff_radius,
        length_unit="angstrom",
        energy_unit="ev",
        parameters=potential.parameters,
    )


def _automatic_lines(settings: AenetSettings, elements: tuple[str, ...]) -> str:
    if settings.functions is FunctionKind.CHEBYSHEV:
        return ""
    return automatic_lines(settings.as_ours, elements)


def _read_settings(values: Mapping[str, Any]) -> AenetSettings:
    return settings_from(values)


def _prepare(request: TrainingInput, folder: Path) -> Launch:
    spec = AenetSpec(
        settings=request.settings,
        frames=request.frames,
        name=request.name,
        data_checksum=request.data_checksum,
        processes=request.threads,
    )
    return prepare(spec, folder)


def _collect(folder: Path) -> Outcome:
    result = collect(folder)
    potential = load_aenet(folder / POTENTIAL_FOLDER)
    return Outcome(
        files=catalog_files(folder / POTENTIAL_FOLDER),
        facts=facts(potential),
        energy_rmse=result.validation.energy_rmse,
        force_rmse=result.validation.force_rmse,
        validation=validation_of(result),
        warnings=(*result.notices, converts_words(potential)),
    )


def converts_words(potential: AenetPotential) -> str:
    """Say whether a potential can be turned into n2p2's files."""
    try:
        as_n2p2(potential)
    except InvalidInput as error:
        return _now("It has no form in n2p2's files: %(why)s") % {"why": error.action}
    return _now(
        "It can be written in n2p2's files without a change: python -m mlmd potential DIR --to n2p2"
    )


def pair_lines(card: Card) -> tuple[str, ...]:
    """Return LAMMPS' ``pair_style`` and ``pair_coeff`` for ``units metal``."""
    elements = card.facts.elements
    return aenet_style(elements, [file_name(element) for element in elements]).lines(elements)


def companions(card: Card) -> Mapping[str, bytes]:
    """Return the README, a LAMMPS input and an ASE example for a potential."""
    networks = ", ".join(map(file_name, card.facts.elements))
    return example_files(
        card,
        pair_lines(card),
        "with pair_style aenet (aenet-lammps, which isn't part of LAMMPS; v00 means aenet 2.0.4)",
        f"aenet (predict.x, version 2.0.4): NETWORKS are {networks}; structures as XSF files in A.\n"
        "Other programs: python -m mlmd potential . --to n2p2 -o OUT writes n2p2's files where the\n"
        "functions are symmetry functions; Chebyshev functions have no form there.",
    )


def _read_curve(folder: Path) -> Curve:
    curve = read_learning_curve(folder / TRAIN_LOG)
    none = np.full(len(curve), np.nan)  # aenet doesn't learn from forces
    return Curve(curve.epoch, (MEV * curve.energy_train, MEV * curve.energy_test), (none, none))


def _style(found: Facts, _: Mapping[str, bytes]) -> PairStyle:
    return aenet_style(found.elements, [file_name(element) for element in found.elements])


AENET = Family(
    name="aenet",
    pair_style=_style,
    lammps_package="aenet-lammps",
    lammps_cost=2500e-6,
    title=_("Neural network of aenet"),
    short_title="aenet",
    settings=AenetSettings,
    presets={effort.value: {"epochs": EPOCHS[effort]} for effort in Effort},
    long_texts=("symmetry_functions",),
    automatic_lines=_automatic_lines,
    read_settings=_read_settings,
    estimate_seconds=estimate_seconds,
    prepare=_prepare,
    collect=_collect,
    companions=companions,
    lammps_lines=lambda card: "\n".join(pair_lines(card)),
    read_curve=_read_curve,
    engine=_("aenet, train.x"),
    codes=PROGRAMS,
    processes=True,
    launch=launch_of,
)
