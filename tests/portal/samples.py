"""One of everything, private, shared with its lab and public, and people of every role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from datasets.models import Frame, Upload, UploadState, UploadTarget
from datasets.services import search_save, upload_create
from jobs.files import job_folder
from jobs.states import State
from labs.models import Lab, Role, User, Visibility
from labs.services.accounts import token_create
from labs.services.invitations import invitation_create
from potentials.archives import deterministic_zip
from potentials.models import RefusedUpload
from potentials.services.refusals import refusal_keep
from tests.datasets.factories import make_dft_run, make_pseudo_family, make_structure_set
from tests.jobs.factories import make_batch, make_far_cluster, make_job
from tests.labs.factories import make_lab, make_user
from tests.potentials.factories import (
    make_potential,
    make_simulation,
    make_structure,
    make_training,
    make_version,
    network,
    network_files,
)

ROLES = ("stranger", "guest", "member", "manager", "owner")
KINDS = (
    *("structure", "structure-set", "pseudo-family", "dataset", "version", "frame", "upload"),
    *("search", "dft"),
    *("job", "batch", "training", "potential", "simulation", "refused-upload"),
)


@dataclass(frozen=True)
class World:
    """Two labs, their people by role, and objects by kind and visibility."""

    lab: Lab
    people: dict[str, User]
    objects: dict[tuple[str, str], Any]
    own: dict[str, Any]

    def of(self, kind: str) -> Iterator[tuple[str, Any]]:
        for visibility in Visibility.values:
            yield visibility, self.objects[kind, visibility]


def potential_archive() -> SimpleUploadedFile:
    """Return a potential's files as somebody would upload them."""
    content = deterministic_zip("potential", network_files(network()))
    return SimpleUploadedFile("potential.zip", content)


def sees(role: str, visibility: str) -> bool:
    """Return what `labs.querysets` promises, written a second time."""
    if visibility == Visibility.PUBLIC:
        return True
    if visibility == Visibility.LAB:
        return role != "stranger"
    return role == "owner"


def changes(role: str, visibility: str) -> bool:
    return role == "owner" or (role == "manager" and visibility != Visibility.PRIVATE)


def make_world() -> World:
    lab, elsewhere = make_lab(), make_lab()
    people = {
        "stranger": make_user(elsewhere, Role.MANAGER),
        "guest": make_user(lab, Role.GUEST),
        "member": make_user(lab),
        "manager": make_user(lab, Role.MANAGER),
        "owner": make_user(lab),
    }
    objects: dict[tuple[str, str], Any] = {}
    for visibility in Visibility.values:
        for kind, made in _make(people["owner"], lab, visibility).items():
            objects[kind, visibility] = made
    invitation, secret = invitation_create(
        lab=lab, actor=people["manager"], email="invited@people.example"
    )
    token, _ = token_create(user=people["owner"], name="sample", scopes=["read"])
    own = {
        "invitation": invitation,
        "secret": secret,
        "token": token,
        "lab-cluster": make_far_cluster(people["manager"], lab),
        "membership": make_user(lab).memberships.get(),
    }
    return World(lab, people, objects, own)


def _make(owner: User, lab: Lab, visibility: str) -> dict[str, Any]:
    version = make_version(owner, lab, visibility)
    training = make_training(owner, lab, visibility, version)
    simulation = make_simulation(owner, lab, visibility)
    for job in (training.job, simulation.job):
        folder = job_folder(job)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.log").write_text("a line\n")
    job = make_job(owner, lab, visibility, State.FAILED)
    folder = job_folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.log").write_text("a line\n")
    (folder / "job.sh").write_text("#!/bin/sh\n")
    return {
        "structure": make_structure(owner, lab, visibility),
        "structure-set": make_structure_set(owner, lab, visibility),
        "pseudo-family": make_pseudo_family(owner, lab, visibility),
        "dataset": version.dataset,
        "version": version,
        "frame": Frame.objects.filter(dataset=version.dataset).first(),
        "upload": _upload(owner, lab, visibility),
        "search": search_save(
            owner=owner, lab=lab, name=visibility, query="elements=Si", visibility=visibility
        ),
        "job": job,
        "batch": make_batch(owner, lab, visibility),
        "dft": make_dft_run(owner, lab, visibility, version.dataset),
        "training": training,
        "potential": make_potential(owner, lab, visibility),
        "simulation": simulation,
        "refused-upload": _refused(owner, lab, visibility),
    }


def _refused(owner: User, lab: Lab, visibility: str) -> RefusedUpload:
    row = refusal_keep(
        owner=owner,
        lab=lab,
        sent=[SimpleUploadedFile(f"{visibility}.nn", visibility.encode())],
        typed={"name": f"Refused, {visibility}"},
        versions=[],
        reason="The potential lacks scaling.data.",
        verdicts=[],
    )
    RefusedUpload.objects.filter(pk=row.pk).update(visibility=visibility)
    row.refresh_from_db()
    return row


def _upload(owner: User, lab: Lab, visibility: str) -> Upload:
    upload = upload_create(
        owner=owner,
        lab=lab,
        file=SimpleUploadedFile("nothing.txt", b"not a structure"),
        target=UploadTarget.STRUCTURES,
        visibility=visibility,
    )
    Upload.objects.filter(pk=upload.pk).update(state=UploadState.REFUSED)
    upload.refresh_from_db()
    return upload
