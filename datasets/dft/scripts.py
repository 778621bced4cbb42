"""What a DFT run asks of its cluster, and its script before it is started."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from datasets.dft.codes import Potentials, code_named
from datasets.dft.services import KIND, DftRequest, dft_resources
from datasets.services.structures import structure_atoms
from jobs.clusters import known_resources
from jobs.script_preview import ScriptPreview, script_preview
from labs.models import Lab
from mlmd.codes.batches import NamedStructure

MOST_PREPARED = 50  # structures; a larger batch repeats their lines


def dft_script(*, lab: Lab, request: DftRequest, potentials: Potentials) -> ScriptPreview:
    """Return the script of a run; of its first structures where there are very many.

    Args:
        lab: that the run would belong to.
        request: what a person asks for.
        potentials: as `dft_check` returns them.

    Raises:
        Refused: it fits in no queue, or not within the lab's limits.
        mlmd.errors.InvalidInput: an input can't be written, or the cluster can't start the code.
    """
    asked: dict[str, Any] = dft_resources(request, potentials)
    structures = tuple(
        NamedStructure(row.name, structure_atoms(row)) for row in request.structures[:MOST_PREPARED]
    )
    with tempfile.TemporaryDirectory(prefix="mlmd-preview-") as scratch:
        launch = code_named(request.code).prepare(
            request.cluster,
            structures,
            request.settings,
            potentials,
            known_resources(asked),
            Path(scratch),
        )
    return script_preview(lab=lab, kind=KIND, cluster=request.cluster, asked=asked, launch=launch)
