"""Structures: builders, reports, drawings, downloads."""

from __future__ import annotations

import io

import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from django.urls import reverse

from datasets.builders import BUILDERS
from datasets.downloads import STRUCTURE_FILES
from datasets.models import Structure
from datasets.services import structure_build, structure_create_from_atoms, structure_delete
from datasets.services.structures import structure_atoms
from datasets.viewer import viewer_payload
from labs.exceptions import Refused
from mlmd.errors import InvalidInput
from mlmd.formats.structures import read_structures
from mlmd.structure import build_bulk
from tests.datasets.factories import make_structure

CHANGES = {
    "supercell": ({"na": 2, "nb": 1, "nc": 3}, 48),
    "surface": ({"h": 1, "k": 1, "l": 1, "layers": 3, "vacuum": 8}, 24),
    "vacancy": ({"atom": 3}, 7),
    "displace": ({"amplitude": 0.1, "seed": 4}, 8),
    "strain": ({"xx": 2, "yy": 0, "zz": 0, "yz": 0, "xz": 0, "xy": 0}, 8),
}


def test_every_builder_that_changes_a_structure_is_tested():
    assert set(CHANGES) == {key for key, builder in BUILDERS.items() if builder.needs_parent}


@pytest.mark.parametrize("builder", CHANGES)
def test_a_change_makes_a_new_structure_that_knows_its_parent(page, owner, lab, builder):
    parent = make_structure(owner, lab)
    values, atoms = CHANGES[builder]
    url = reverse("datasets:structure-build", args=[parent.public_id, builder])
    answer = page.post(url, {f"{builder}-{name}": value for name, value in values.items()})
    made = Structure.objects.exclude(pk=parent.pk).get()
    assert answer["Location"] == made.get_absolute_url()
    assert made.n_atoms == atoms
    assert made.parent == parent
    assert made.origin == builder
    assert made.recipe == pytest.approx(values)
    parent.refresh_from_db()
    assert parent.n_atoms == 8
    text = page.get(made.get_absolute_url()).content.decode()
    assert parent.name in text


def test_strain_is_given_in_per_cent(owner, lab):
    parent = make_structure(owner, lab)
    values = CHANGES["strain"][0]
    made = structure_build(owner=owner, lab=lab, builder="strain", values=values, parent=parent)
    assert made.volume == pytest.approx(1.02 * parent.volume)


def test_bad_settings_come_back_with_the_form(page, owner, lab):
    parent = make_structure(owner, lab)
    url = reverse("datasets:structure-build", args=[parent.public_id, "vacancy"])
    answer = page.post(url, {"vacancy-atom": 99})
    assert answer.status_code == 422
    assert 'value="99"' in answer.content.decode()
    assert Structure.objects.count() == 1
    url = reverse("datasets:structure-build", args=[parent.public_id, "surface"])
    zero = {"h": 0, "k": 0, "l": 0, "layers": 3, "vacuum": 8}
    answer = page.post(url, {f"surface-{k}": v for k, v in zero.items()})
    assert answer.status_code == 422
    assert "not all 0" in answer.content.decode()


def test_a_crystal_is_built_from_a_word(page):
    answer = page.post(reverse("datasets:structure-new"), {"elements": "si", "conventional": "on"})
    made = Structure.objects.get()
    assert answer["Location"] == made.get_absolute_url()
    assert (made.formula, made.space_group) == ("Si8", "Fd-3m (227)")
    refused = page.post(reverse("datasets:structure-new"), {"elements": "Xq"})
    assert refused.status_code == 422
    assert "isn&#x27;t a chemical symbol" in refused.content.decode()


@pytest.mark.parametrize("file_format", STRUCTURE_FILES)
def test_every_download_reads_back_as_the_same_atoms(page, owner, lab, file_format, tmp_path):
    structure = structure_build(
        owner=owner,
        lab=lab,
        builder="bulk",
        values={"elements": "Na Cl", "crystal": "rocksalt", "a": 5.64, "conventional": True},
    )
    url = reverse("datasets:structure-download", args=[structure.public_id, file_format])
    answer = page.get(url)
    assert "attachment" in answer["Content-Disposition"]
    path = tmp_path / "download"
    path.write_bytes(answer.content)
    (back,) = read_structures(path, file_format)
    atoms = structure_atoms(structure)
    assert sorted(back.get_chemical_symbols()) == sorted(atoms.get_chemical_symbols())
    if file_format != "xyz":
        assert back.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-5)
    api = page.get(reverse("api:structure-download", args=[structure.public_id, file_format]))
    assert api.content == answer.content


def test_other_programs_read_the_cif(page, owner, lab):
    structure = make_structure(owner, lab)
    url = reverse("datasets:structure-download", args=[structure.public_id, "cif"])
    atoms = read(io.StringIO(page.get(url).content.decode()), format="cif")
    assert len(atoms) == 8


def test_the_drawing_is_wrapped_and_closes_its_faces():
    atoms = build_bulk(["Si"])
    atoms.positions += atoms.cell[0] * 3
    drawn = viewer_payload(atoms)
    inside = np.linalg.solve(atoms.cell.array.T, np.array(drawn["positions"]).T).T
    assert inside.min() > -1e-3
    assert inside.max() < 1.0
    # One atom on a corner has 7 images; three on faces have one each.
    assert len(drawn["images"]) == 10
    assert [0, 1, 1, 1] in drawn["images"]


def test_a_molecule_has_no_cell_and_no_images():
    drawn = viewer_payload(Atoms("OH2", positions=[[0, 0, 0], [0, 0.7, 0.6], [0, -0.7, 0.6]]))
    assert drawn["cell"] is None
    assert drawn["images"] == []
    assert drawn["pbc"] == [False, False, False]


def test_an_atom_just_below_the_upper_face_is_drawn_on_the_lower_one():
    atoms = Atoms("Si", cell=[5, 5, 5], pbc=True, positions=[[4.9999, 2.5, 2.5]])
    drawn = viewer_payload(atoms)
    assert drawn["positions"][0][0] == pytest.approx(-1e-4, abs=1e-5)
    assert drawn["images"] == [[0, 1, 0, 0]]


def test_structures_with_the_same_atoms_know_each_other(page, owner, lab):
    one, two = make_structure(owner, lab), make_structure(owner, lab)
    assert one.structure_hash == two.structure_hash
    assert "The same atoms are also in" in page.get(one.get_absolute_url()).content.decode()


def test_a_structure_without_atoms_or_name_is_refused(owner, lab):
    with pytest.raises(InvalidInput):
        structure_create_from_atoms(owner=owner, lab=lab, name="x", atoms=Atoms())
    with pytest.raises(Refused, match="needs a name"):
        structure_create_from_atoms(owner=owner, lab=lab, name=" ", atoms=build_bulk(["Si"]))
    with pytest.raises(Refused, match="isn't a builder"):
        structure_build(owner=owner, lab=lab, builder="magic", values={})
    with pytest.raises(Refused, match="start from"):
        structure_build(owner=owner, lab=lab, builder="vacancy", values={"atom": 1})


def test_deleting_a_parent_leaves_the_children(owner, lab):
    parent = make_structure(owner, lab)
    child = structure_build(
        owner=owner, lab=lab, builder="vacancy", values={"atom": 1}, parent=parent
    )
    structure_delete(structure=parent, actor=owner)
    child.refresh_from_db()
    assert child.parent is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=Ge", ["Ge"]),
        ("elements=Si", ["Si"]),
        ("elements=Si+Ge&mode=any", ["Ge", "Si"]),
        ("elements=Ge&mode=only", ["Ge"]),
        ("visibility=public", []),
    ],
)
def test_the_list_finds_what_is_asked_for(page, owner, lab, query, names):
    make_structure(owner, lab, symbol="Si")
    make_structure(owner, lab, symbol="Ge")
    rows = page.get(reverse("datasets:structures") + f"?{query}").context["page_obj"]
    assert sorted(row.name for row in rows) == names
