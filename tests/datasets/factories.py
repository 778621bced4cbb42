"""Sample structures, datasets and uploads, for these tests and for those that walk all pages."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile

from datasets.models import (
    Dataset,
    DatasetVersion,
    PseudoFamily,
    Structure,
    StructureSet,
    Upload,
    UploadTarget,
)
from datasets.services import (
    bundled_silicon_dataset,
    dataset_create,
    dataset_publish,
    dataset_update,
    frames_insert,
    structure_build,
    structure_set_from_crystal,
    upload_create,
)
from datasets.services.pseudopotentials import pseudo_family_create, pseudo_file_add
from jobs.files import job_folder
from jobs.models import Job
from jobs.states import State
from labs.models import Lab, User
from mlmd.formats import write_frames
from mlmd.frame import Calculation, Frame
from mlmd.structure.initial_set import InitialSetSettings
from tests.jobs.factories import make_job

LEVEL = Calculation(
    code="espresso", version="6.7", functional="PBE", cutoff_energy=400.0, source_name="pw.xml"
)


def make_frame(seed: int = 0, numbers: Iterable[int] = (14, 14), **changes: Any) -> Frame:
    """Return a small labelled cell with random positions and forces."""
    rng = np.random.default_rng(seed)
    species = np.array(list(numbers), dtype=np.uint8)
    frame = Frame(
        numbers=species,
        positions=rng.uniform(0.0, 5.0, (len(species), 3)),
        cell=np.diag([5.0, 5.5, 6.0]),
        energy=-100.0 * len(species) + float(rng.normal()),
        forces=rng.normal(size=(len(species), 3)),
        stress=np.diag(rng.normal(size=3)) * 0.01,
        ionic_step=seed,
        label_source="ab initio",
        scf_converged=True,
        kind="liquid",
        calculation=LEVEL,
    )
    return replace(frame, **changes)


def make_frames(count: int, **changes: Any) -> list[Frame]:
    return [make_frame(seed, **changes) for seed in range(count)]


def extxyz(frames: Iterable[Frame]) -> bytes:
    stream = io.StringIO()
    write_frames(frames, stream, "extxyz")
    return stream.getvalue().encode()


def make_structure(owner: User, lab: Lab, visibility: str = "lab", symbol: str = "Si") -> Structure:
    return structure_build(
        owner=owner,
        lab=lab,
        builder="bulk",
        values={"elements": symbol, "conventional": True},
        visibility=visibility,
    )


def make_dataset(
    owner: User,
    lab: Lab,
    visibility: str = "lab",
    frames: Iterable[Frame] | None = None,
    name: str = "Samples",
) -> Dataset:
    """Return a dataset with a draft of three frames, or of those given."""
    dataset = dataset_create(owner=owner, lab=lab, name=name, visibility=visibility)
    chosen = make_frames(3) if frames is None else list(frames)
    if chosen:
        frames_insert(dataset=dataset, actor=owner, frames=chosen)
    dataset.refresh_from_db()
    return dataset


def make_version(owner: User, lab: Lab, visibility: str = "lab", **options: Any) -> DatasetVersion:
    dataset = make_dataset(owner, lab, visibility, **options)
    return dataset_publish(dataset=dataset, actor=owner)


def make_upload(
    owner: User,
    lab: Lab,
    content: bytes,
    name: str = "frames.extxyz",
    dataset: Dataset | None = None,
    **options: Any,
) -> Upload:
    return upload_create(
        owner=owner,
        lab=lab,
        file=SimpleUploadedFile(name, content),
        target=UploadTarget.FRAMES if dataset else UploadTarget.STRUCTURES,
        dataset=dataset,
        **options,
    )


def make_exchange(owner: User, lab: Lab) -> list[DatasetVersion]:
    """Return public versions to exchange: the bundled silicon, and several elements.

    Among the latter are a molecule without a cell, a slab, an unconverged frame and one
    without labels.
    """
    silicon = bundled_silicon_dataset(owner=owner, lab=lab)
    dataset_update(
        dataset=silicon,
        actor=owner,
        name=silicon.name,
        description=silicon.description,
        licence=silicon.licence,
        tags=silicon.tags,
        visibility="public",
    )
    bare = replace(LEVEL, code="unknown", functional="", version="")
    frames = [
        make_frame(1, (8, 14, 8), kind="glass"),
        make_frame(2, (8, 14, 8, 8, 14, 8), kind="glass", scf_converged=False),
        make_frame(3, (3, 8, 25, 27, 28), pbc=(True, True, False)),
        make_frame(4, (6, 1, 1, 1, 1), pbc=(False,) * 3, cell=np.zeros((3, 3)), stress=None),
        make_frame(5, (26, 8), magnetic_moments=np.array([2.2, 0.1])),
        make_frame(
            6, (12, 8), energy=None, forces=None, stress=None, label_source="none", calculation=bare
        ),
    ]
    several = make_version(owner, lab, "public", frames=frames, name="Several elements")
    return [silicon.versions.get(), several]


def make_structure_set(owner: User, lab: Lab, visibility: str = "lab") -> StructureSet:
    """Return a set of three cells of silicon."""
    return structure_set_from_crystal(
        owner=owner,
        lab=lab,
        parent=make_structure(owner, lab, visibility),
        settings=InitialSetSettings(3, 0, 0, 0, 0, False),
        visibility=visibility,
    )


UPF = (
    '<UPF version="2.0.1">\n<PP_HEADER element="{element}" pseudo_type="NC" functional="PBE" '
    'z_valence="4.0" wfc_cutoff="{cutoff}" rho_cutoff="160" relativistic="scalar"/>\n</UPF>\n'
)
"""The part of a UPF file that says what it is."""


def make_pseudo_family(owner: User, lab: Lab, visibility: str = "lab") -> PseudoFamily:
    """Return a family with a file for silicon."""
    name = f"Family {PseudoFamily.objects.count()}"
    family = pseudo_family_create(owner=owner, lab=lab, name=name, visibility=visibility)
    content = UPF.format(element="Si", cutoff=40).encode()
    pseudo_file_add(family=family, actor=owner, name="Si.upf", chunks=[content])
    return family


def filled(form: Any) -> dict[str, Any]:
    """Return what a browser sends of a form that nobody touched."""
    initial = {n: form.get_initial_for_field(f, n) for n, f in form.fields.items()}
    sent = {n: v for n, v in initial.items() if v is not None and v is not False and v != ""}
    return {n: getattr(v, "public_id", v) for n, v in sent.items()}


def make_dft_run(owner: User, lab: Lab, visibility: str, dataset: Dataset) -> Job:
    """Return a DFT run that is done, of one structure that failed in it."""
    structure = make_structure(owner, lab, visibility)
    entry = {"id": str(structure.public_id), "name": structure.name}
    spec = {"structures": [entry], "settings": {}, "pseudopotentials": {}, "frame_kind": ""}
    job = make_job(
        owner,
        lab,
        visibility,
        State.DONE,
        kind="dft",
        spec={**spec, "dataset": str(dataset.public_id)},
    )
    outcome = {"structure": entry["id"], "name": entry["name"], "outcome": "failed"}
    folder = job_folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "outcomes.json").write_text(json.dumps({"outcomes": [outcome]}))
    return job
