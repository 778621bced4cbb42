"""Potentials brought in the browser: files, folders and archives, each of them hostile until read."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.potential import Units
from mlmd.units import BOHR
from potentials import unpacking
from potentials.models import Potential
from potentials.references import source_address, source_cleaned
from potentials.unit_guess import guess_units
from potentials.unpacking import Fate, unpack
from tests.potentials.factories import labelled_frames, make_version, network, network_files

pytestmark = pytest.mark.django_db


def sent(files: dict[str, bytes]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, content) for name, content in files.items()]


def zipped(files: dict[str, bytes], folder: str = "potential/") -> SimpleUploadedFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
    return SimpleUploadedFile("potential.zip", stream.getvalue())


def tarred(entries: list[tuple[tarfile.TarInfo, bytes]]) -> SimpleUploadedFile:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for info, content in entries:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return SimpleUploadedFile("potential.tar.gz", stream.getvalue())


@pytest.fixture
def files() -> dict[str, bytes]:
    return network_files(network(("Si",)))


@pytest.fixture
def silent(files) -> dict[str, bytes]:
    """The same files as n2p2 writes them: nothing says the units."""
    return {name: content for name, content in files.items() if name != "units.json"}


def form(**changes) -> dict:
    return {"name": "From elsewhere", "visibility": "lab", **changes}


@pytest.mark.parametrize("pack", [sent, lambda files: [zipped(files)]])
def test_files_and_archives_become_a_potential(pack, files, owner, lab, sign_in) -> None:
    extra = {"README.txt": b"read me", "in.lammps": b"units metal"}
    answer = sign_in(owner).post(
        reverse("potentials:upload"),
        form(files=pack(files | extra), source="doi:10.1063/1.3553717", not_for="liquids"),
    )
    assert answer.status_code == 302, answer.content.decode()
    row = Potential.objects.get()
    assert {file.name: bytes(file.content) for file in row.files.all()} == files
    assert (row.source, row.not_for, row.family, row.lab) == (
        "10.1063/1.3553717",
        "liquids",
        "hdnnp",
        lab,
    )
    page = sign_in(owner).get(reverse("potentials:detail", args=[row.public_id]))
    assert "https://doi.org/10.1063/1.3553717" in page.content.decode()


def test_the_same_name_again_is_a_further_version(files, owner, lab, sign_in) -> None:
    client, other = sign_in(owner), network_files(network(("Si",), seed=1))
    for content in (files, other):
        client.post(reverse("potentials:upload"), form(files=sent(content)))
    assert list(Potential.objects.order_by("version").values_list("version", flat=True)) == [1, 2]


def test_networks_of_aenet_need_no_units(shared_reference, owner, lab, sign_in) -> None:
    folder = shared_reference / "aenet_tio2"
    packed = zipped({path.name: path.read_bytes() for path in sorted(folder.glob("*.nn"))})
    client, url = sign_in(owner), reverse("potentials:upload-preview")
    text = client.post(url, form(files=[packed])).content.decode()
    assert "A potential of aenet for O Ti" in text
    assert "say their units" not in text
    packed.seek(0)
    assert client.post(reverse("potentials:upload"), form(files=[packed])).status_code == 302
    row = Potential.objects.get()
    assert (row.family, row.elements, row.length_unit) == ("aenet", ["O", "Ti"], "angstrom")


def test_units_that_nothing_says_are_asked_with_a_guess(silent, owner, lab, sign_in) -> None:
    client, url = sign_in(owner), reverse("potentials:upload")
    answer = client.post(url, form(files=sent(silent)))
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "Nothing in the files says their units" in text
    assert "usual in Å" in text
    assert not Potential.objects.exists()
    client.post(url, form(files=sent(silent), length_unit="bohr", energy_unit="hartree"))
    row = Potential.objects.get()
    assert (row.length_unit, row.energy_unit) == ("bohr", "hartree")
    assert row.cutoff_radius == pytest.approx(5.0 * BOHR)


def test_teacher_data_tell_the_units(silent) -> None:
    made = network(("Si",))
    truth = replace(made, units=Units("bohr", "hartree"))
    evaluator = Evaluator(truth, threads=1)
    frames = [
        replace(
            frame,
            forces=evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc).forces,
        )
        for frame in labelled_frames(3)
    ]
    guess = guess_units(silent, frames)
    assert (guess.length, guess.energy) == ("bohr", "hartree")
    assert "3 frames" in guess.why


def test_the_preview_says_what_the_files_are(silent, owner, lab, sign_in) -> None:
    version = make_version(owner, lab)
    answer = sign_in(owner).post(
        reverse("potentials:upload-preview"),
        form(
            files=[*sent(silent), SimpleUploadedFile("notes.txt", b"x")],
            versions=[version.public_id],
        ),
    )
    text = answer.content.decode()
    assert "A potential of n2p2 for Si" in text
    assert "of the chosen data are within" in text
    assert "notes.txt" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights.014.data": b"0.1 a\nnothing\n"}, "weights.014.data, line 2"),
        ({"scaling.data": b""}, "The file is empty"),
        ({"scaling.data": None}, "lacks scaling.data"),
        ({"input.nn": b"\xff\xfe\x00binary"}, "input.nn"),
    ],
)
def test_a_refused_upload_names_file_and_fault(files, change, words, owner, lab, sign_in) -> None:
    spoilt = {name: data for name, data in (files | change).items() if data is not None}
    answer = sign_in(owner).post(reverse("potentials:upload"), form(files=[zipped(spoilt)]))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert "weights.014.data" in answer.content.decode()  # every file stays listed
    assert not Potential.objects.exists()


def test_the_file_at_fault_is_marked(files, owner, lab, sign_in) -> None:
    spoilt = files | {"weights.014.data": b"0.1 a\nnothing\n"}
    answer = sign_in(owner).post(reverse("potentials:upload"), form(files=sent(spoilt)))
    fates = {v.name: v.fate for v in answer.context["findings"].unpacked.verdicts}
    assert fates["weights.014.data"] is Fate.REFUSED
    assert fates["input.nn"] is Fate.KEPT


def test_units_that_the_forces_contradict_are_doubted(silent, owner, lab, sign_in) -> None:
    version = make_version(owner, lab)
    client, url = sign_in(owner), reverse("potentials:upload-preview")
    values = form(versions=[version.public_id], files=sent(silent))
    guess = client.post(url, values).context["findings"].guess
    other = {"angstrom": "bohr", "bohr": "angstrom"}[guess.length]
    for length, is_doubtful in ((guess.length, False), (other, True)):
        chosen = {"length_unit": length, "energy_unit": guess.energy, "files": sent(silent)}
        answer = client.post(url, values | chosen)
        assert ("probably not those" in answer.content.decode()) is is_doubtful


def test_names_that_leave_the_folder_reach_nothing(files, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = unpack([zipped(files, "../../"), zipped({"passwd": b"root"}, "/etc/")])
    assert found.files == files
    assert list(tmp_path.iterdir()) == []


def test_links_and_devices_are_no_files() -> None:
    link, device = tarfile.TarInfo("input.nn"), tarfile.TarInfo("scaling.data")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    assert unpack([tarred([(link, b""), (device, b"")])]).files == {}


def test_two_potentials_in_one_archive_are_refused(files) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/input.nn", files["input.nn"])
        archive.writestr("b/input.nn", b"elements Ge\n")
    (refused,) = unpack([SimpleUploadedFile("two.zip", stream.getvalue())]).refused
    assert refused.name == "b/input.nn"
    assert "one potential at a time" in refused.words


def test_a_bomb_is_refused_before_it_fills_the_memory(owner, lab, sign_in) -> None:
    bomb = zipped({"weights.014.data": b"0" * 60_000_000})
    answer = sign_in(owner).post(reverse("potentials:upload"), form(files=[bomb]))
    assert answer.status_code == 422
    assert "expands more than 250 times" in answer.content.decode()


def test_files_that_nobody_needs_are_counted_not_read(monkeypatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_LISTED", 3)
    found = unpack([zipped({f"frame-{k}.xyz": b"x" for k in range(10)})])
    assert (found.files, len(found.verdicts), found.ignored) == ({}, 3, 7)
    assert {verdict.fate for verdict in found.verdicts} == {Fate.IGNORED}


def test_too_large_a_request_is_refused_unread(owner, lab, sign_in, monkeypatch) -> None:
    monkeypatch.setattr("potentials.views.uploads.MOST_SENT", 1000)
    monkeypatch.setattr("potentials.views.uploads._FORM_OVERHEAD", 0)
    big = SimpleUploadedFile("input.nn", b"x" * 5000)
    assert sign_in(owner).post(reverse("potentials:upload"), form(files=[big])).status_code == 413


def test_a_guest_is_told_that_guests_add_nothing(files, guest, sign_in) -> None:
    client, url = sign_in(guest), reverse("potentials:upload")
    assert "Guests look" in client.get(url).content.decode()
    assert client.post(url, form(files=sent(files))).status_code == 403


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://doi.org/10.1063/1.3553717", "https://doi.org/10.1063/1.3553717"),
        ("https://example.org/potentials", "https://example.org/potentials"),
    ],
)
def test_a_source_is_a_doi_or_an_address(text, address) -> None:
    assert source_address(source_cleaned(text)) == address


@pytest.mark.parametrize("text", ["javascript:alert(1)", "a book", "https://"])
def test_another_source_is_refused(text, files, owner, lab, sign_in) -> None:
    answer = sign_in(owner).post(reverse("potentials:upload"), form(files=sent(files), source=text))
    assert answer.status_code == 422
    assert "neither a DOI" in answer.content.decode()


def test_the_api_takes_an_archive_and_lists_what_it_refuses(files, silent, owner, lab) -> None:
    client, url = APIClient(), reverse("api:potential-upload")
    client.force_authenticate(owner)
    refused = client.post(url, {"name": "New", "files": [zipped(silent)]})
    assert refused.status_code == 400
    assert "usual in Å" in refused.json()["detail"]
    assert {file["fate"] for file in refused.json()["files"]} == {"accepted"}
    made = client.post(url, {"name": "New", "files": [zipped(files)]})
    assert (made.status_code, made.json()["elements"]) == (201, ["Si"])
    assert client.post(url, {"name": "New", "files": [zipped(files)]}).status_code == 200
