"""Families of pseudopotentials: uploaded, checked by their header, chosen for a run."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.dft.kinds import dft_prepare
from datasets.dft.services import DftRequest, dft_start
from datasets.models import PseudoFamily, PseudoFile
from datasets.services.pseudopotentials import (
    pseudo_family_delete,
    pseudo_file_add,
    pseudo_path,
)
from jobs.services import cluster_ensure_local
from labs.exceptions import Refused
from mlmd.codes.espresso_settings import protocol_settings
from mlmd.errors import FormatError, InvalidInput
from tests.datasets.factories import UPF, filled, make_pseudo_family, make_structure


def upload(element: str, name: str = "", cutoff: float = 40, **changes: str) -> SimpleUploadedFile:
    text = UPF.format(element=element, cutoff=cutoff)
    for old, new in changes.items():
        text = text.replace(old, new)
    return SimpleUploadedFile(name or f"{element}.upf", text.encode())


@pytest.fixture
def cluster(db, settings, tmp_path):
    settings.PSEUDO_DIR = tmp_path / "none"
    settings.JOBS_DIR = tmp_path / "jobs"
    cluster = cluster_ensure_local()
    cluster.recipes = {"pw.x": {"argv": ["/bin/false"]}}
    cluster.save()
    return cluster


def test_a_family_is_made_of_files_and_a_bad_one_does_not_keep_the_others_away(page, lab) -> None:
    files = [upload("Si"), upload("O"), SimpleUploadedFile("x.upf", b"nothing")]
    fields = {"name": "PBE set", "licence": "CC-BY-4.0", "visibility": "lab", "files": files}
    answer = page.post(reverse("datasets:pseudo-families"), fields)
    assert answer.status_code == 302, answer.context["form"].errors
    family = PseudoFamily.objects.get()
    assert (family.functional, family.licence) == ("PBE", "CC-BY-4.0")
    shown = page.get(answer.url).content.decode()
    assert "no PP_HEADER" in shown
    assert "2 files were added." in shown
    assert "at least 40" not in shown
    assert "cutoff of 40 Ry" in shown
    silicon = family.files.get(element="Si")
    assert (silicon.kind, silicon.valence, silicon.cutoff) == ("norm-conserving", 4.0, 40.0)
    sent = page.get(reverse("datasets:pseudo-file", args=[family.public_id, "Si"]))
    content = b"".join(sent.streaming_content)
    assert hashlib.sha256(content).hexdigest() == silicon.sha256
    listed = page.get(reverse("datasets:pseudo-families")).content.decode()
    assert "PBE set" in listed
    again = page.post(reverse("datasets:pseudo-families"), {**fields, "name": " ", "files": []})
    assert again.status_code == 422


def test_functionals_and_elements_do_not_mix(owner, lab) -> None:
    family = make_pseudo_family(owner, lab)

    def add(file: SimpleUploadedFile) -> PseudoFile:
        return pseudo_file_add(family=family, actor=owner, name=file.name, chunks=file.chunks())

    with pytest.raises(Refused, match="made for LDA, the family for PBE"):
        add(upload("O", **{'functional="PBE"': 'functional="SLA PZ NOGX NOGC"'}))
    with pytest.raises(Refused, match=r"has Si\.UPF for Si already"):
        add(upload("Si", cutoff=50))
    assert add(upload("Si")) == family.files.get()  # the same file again changes nothing
    with pytest.raises(FormatError, match="a chemical symbol"):
        add(upload("Qq"))
    assert add(upload("O", name="../../O odd.UPF")).name == "O_odd.UPF"


def test_a_run_takes_the_files_of_its_family_by_hash(owner, lab, cluster, tmp_path) -> None:
    family = make_pseudo_family(owner, lab)
    structures = [make_structure(owner, lab)]
    request = DftRequest(structures, protocol_settings("fast"), cluster, family=family)
    job = dft_start(owner=owner, lab=lab, request=request)
    row = family.files.get()
    assert job.spec["pseudopotentials"] == {"Si": {"name": "Si.UPF", "sha256": row.sha256}}
    run = tmp_path / "run"
    run.mkdir()
    dft_prepare(job, run)
    copied = (run / "pseudo" / "Si.UPF").read_bytes()
    assert hashlib.sha256(copied).hexdigest() == row.sha256
    missing = [make_structure(owner, lab, symbol="Cu")]
    other = DftRequest(missing, protocol_settings("fast"), cluster, family=family)
    with pytest.raises(InvalidInput, match="Add them to the family"):
        dft_start(owner=owner, lab=lab, request=other)


@pytest.mark.django_db(transaction=True)
def test_a_deleted_family_takes_its_files_along_unless_another_has_them(owner, lab) -> None:
    first, second = make_pseudo_family(owner, lab), make_pseudo_family(owner, lab)
    path = pseudo_path(first.files.get().sha256)
    pseudo_family_delete(family=first, actor=owner)
    assert path.is_file()
    pseudo_family_delete(family=second, actor=owner)
    assert not path.exists()


def test_the_form_offers_families_and_says_when_the_cutoff_is_low(
    page, owner, lab, cluster
) -> None:
    family = make_pseudo_family(owner, lab)
    structure = make_structure(owner, lab)
    shown = page.get(reverse("datasets:dft-new"), {"structure": structure.public_id})
    assert family.name in shown.content.decode()
    fields = filled(shown.context["form"]) | {
        "structures": structure.public_id,
        "cluster": cluster.public_id,
        "family": family.public_id,
        "protocol": "fast",
    }
    preview = page.post(reverse("datasets:dft-preview"), fields).content.decode()
    assert "suggest a cutoff of at least 40 Ry; it is 30 Ry" in preview
    fields["protocol"] = "precise"
    preview = page.post(reverse("datasets:dft-preview"), fields).content.decode()
    assert "suggest" not in preview


def test_the_api_makes_fills_and_deletes_a_family(page, owner, lab, cluster) -> None:
    send = {"data": json.dumps({"name": "By API"}), "content_type": "application/json"}
    made = page.post(reverse("api:pseudo-family-list"), **send)
    assert made.status_code == 201, made.content
    key = made.json()["public_id"]
    added = page.post(reverse("api:pseudo-family-files", args=[key]), {"file": upload("Si")})
    assert added.status_code == 201, added.content
    assert added.json()["cutoff"] == 40.0
    shown = page.get(reverse("api:pseudo-family-detail", args=[key])).json()
    assert [file["element"] for file in shown["files"]] == ["Si"]
    got = page.get(reverse("api:pseudo-family-file", args=[key, "Si"]))
    assert b"".join(got.streaming_content).startswith(b"<UPF")
    body = {"structures": [str(make_structure(owner, lab).public_id)], "family": key}
    send = {"data": json.dumps(body), "content_type": "application/json"}
    started = page.post(reverse("api:dft-list"), **send)
    assert started.status_code == 201, started.content
    assert started.json()["potentials"]["Si"]["name"] == "Si.UPF"
    assert page.delete(reverse("api:pseudo-family-detail", args=[key])).status_code == 204
