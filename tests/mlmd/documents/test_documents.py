"""Documents hold a frame without loss, follow their schema, and know their own kind."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from mlmd.documents import (
    SCHEMA,
    SCHEMA_VERSION,
    compat_key,
    describe_mixture,
    document_to_frame,
    field_rows,
    frame_to_document,
    label_identity,
    structure_hash,
    validate,
)
from mlmd.errors import InvalidInput
from mlmd.frame import Calculation, Frame
from tests.mlmd.formats.frames import differences, labelled_frames, silicon


@given(labelled_frames())
@settings(max_examples=150, deadline=None)
def test_a_document_gives_its_frame_back_exactly(frame):
    document = frame_to_document(frame)
    validate(document)
    text = json.dumps(document, allow_nan=False)
    assert differences(frame, document_to_frame(json.loads(text))) == []


def test_the_schema_is_a_valid_schema_and_explains_every_field():
    Draft202012Validator.check_schema(SCHEMA)
    fields = SCHEMA["properties"]
    assert all(f.get("description") for f in fields.values())
    assert set(frame_to_document(silicon())) <= set(fields)
    assert all(f.get("description") for f in fields["calculation"]["properties"].values())


def test_rows_for_the_page_say_kind_unit_and_what_is_optional():
    rows = {row.name: row for row in field_rows()}
    named = {*SCHEMA["properties"]} | {
        f"calculation.{name}" for name in SCHEMA["properties"]["calculation"]["properties"]
    }
    assert set(rows) == named
    units = {name: row.unit for name, row in rows.items() if row.unit}
    assert units == {
        "lattice_vectors": "Å",
        "cartesian_site_positions": "Å",
        "energy": "eV",
        "free_energy": "eV",
        "energy_sigma0": "eV",
        "atomic_forces": "eV/Å",
        "cauchy_stress": "eV/Å³",
        "magnetic_moments": "μB",
        "calculation.hubbard_u": "eV",
        "calculation.cutoff_energy": "eV",
        "calculation.charge": "e",
    }
    assert rows["atomic_forces"].kind == "N × 3 numbers"
    assert rows["cauchy_stress"].kind == "3 × 3 numbers"
    assert "tension positive" in rows["cauchy_stress"].description
    assert rows["cauchy_stress"].may_be_null
    assert not rows["species_at_sites"].may_be_null
    assert rows["label_source"].values == ("ab initio", "ml", "none")
    assert rows["nsites"].is_required
    assert rows["nsites"].is_optimade


def test_names_and_formulas_are_those_of_optimade():
    frame = silicon(
        numbers=np.array([8, 14, 8, 6, 1, 1], np.uint8),
        positions=np.arange(18.0).reshape(6, 3),
        forces=None,
    )
    document = frame_to_document(frame)
    assert document["elements"] == ["C", "H", "O", "Si"]
    assert document["chemical_formula_hill"] == "CH2O2Si"
    assert document["chemical_formula_reduced"] == "CH2O2Si"
    assert document["chemical_formula_anonymous"] == "A2B2CD"
    assert document["species_at_sites"] == ["O", "Si", "O", "C", "H", "H"]
    assert document["lattice_vectors"] == frame.cell.tolist()
    assert (document["nsites"], document["nelements"]) == (6, 4)
    assert document["nperiodic_dimensions"] == 3


def test_the_kind_of_energy_is_named_only_where_it_is_known():
    assert frame_to_document(silicon())["free_energy"] == -10.5
    assert frame_to_document(silicon())["energy_kind"] == "free_energy"
    unknown = frame_to_document(silicon(calculation=Calculation()))
    assert unknown["energy"] == -10.5
    assert unknown["free_energy"] is None
    assert unknown["energy_kind"] == "as_given"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"atomic_forces": [[0, 0, 0]]}, "atomic_forces"),
        ({"cartesian_site_positions": [[0, 0], [1, 1]]}, "cartesian_site_positions"),
        ({"species_at_sites": ["Si", "Qq"]}, "species_at_sites"),
        ({"lattice_vectors": [[1, 0, 0], [0, 1, 0]]}, "lattice_vectors"),
        ({"energy": "low"}, "energy"),
        ({"dimension_types": [1, 1]}, "dimension_types"),
        ({"calculation": {"colour": "red"}}, "calculation"),
    ],
)
def test_a_damaged_document_says_which_field_is_wrong(change, where):
    document = frame_to_document(silicon()) | change
    with pytest.raises(InvalidInput) as caught:
        document_to_frame(document)
    assert where in caught.value.where


@pytest.mark.parametrize("document", [[], "x", None, {}, {"schema_version": "99.0"}])
def test_what_is_no_document_is_refused(document):
    with pytest.raises(InvalidInput):
        document_to_frame(document)


def test_validate_counts_sites():
    document = frame_to_document(silicon())
    document["magnetic_moments"] = [1.0]
    with pytest.raises(InvalidInput, match="magnetic_moments"):
        validate(document)
    assert document["schema_version"] == SCHEMA_VERSION


def test_the_structure_hash_survives_relabelling_wrapping_and_rounding():
    frame = silicon(forces=None)
    reference = structure_hash(frame)
    moved = replace(frame, positions=frame.positions + frame.cell[0] - 2 * frame.cell[2])
    swapped = replace(frame, positions=frame.positions[::-1].copy())
    noisy = replace(frame, positions=frame.positions + 1e-13)
    assert structure_hash(moved) == structure_hash(swapped) == structure_hash(noisy) == reference
    further = replace(frame, positions=frame.positions + np.array([[1e-3, 0, 0], [0, 0, 0]]))
    assert structure_hash(further) != reference
    assert structure_hash(replace(frame, numbers=np.array([14, 6], np.uint8))) != reference
    assert structure_hash(replace(frame, pbc=(True, True, False))) != reference


def test_molecules_are_hashed_by_their_coordinates():
    molecule = Frame(
        np.array([1, 1], np.uint8),
        np.array([[0, 0, 0], [0, 0, 0.74]]),
        np.zeros((3, 3)),
        (False,) * 3,
    )
    assert structure_hash(molecule) == structure_hash(
        replace(molecule, positions=molecule.positions[::-1].copy())
    )


def test_labels_are_the_same_only_for_the_same_question():
    frame = silicon()
    calculation = frame.calculation
    assert label_identity(frame) == label_identity(replace(frame, energy=0.0))
    for other in (
        replace(calculation, functional="PBEsol"),
        replace(calculation, charge=1.0),
        replace(calculation, spin="collinear"),
    ):
        assert label_identity(replace(frame, calculation=other)) != label_identity(frame)


def test_mixtures_of_theory_are_described():
    pbe = Calculation(
        "vasp", functional="PBE", cutoff_energy=520.0, pseudopotentials={"Si": "PAW_PBE Si"}
    )
    corrected = replace(pbe, hubbard_u={"Fe": 4.0, "O": 0.0}, dispersion="D3(BJ)")
    assert compat_key(pbe) == "vasp / PBE / 520 eV"
    assert compat_key(corrected) == "vasp / PBE / D3(BJ) / U(Fe=4) / 520 eV"
    assert describe_mixture([pbe, pbe, replace(pbe, charge=1.0)]) == ()
    lines = describe_mixture([pbe, replace(corrected, pseudopotentials={"Si": "PAW_PBE Si_sv"})])
    assert len(lines) == 2
    assert "levels of theory" in lines[0]
    assert "Si_sv" in lines[1]
