"""Figures and tables of a run's analyses, from the files that the engine writes."""

from __future__ import annotations

import csv

import numpy as np
from ase.build import bulk
from django.urls import reverse

from jobs.files import job_folder
from labs.settings_forms import settings_rows
from mlmd.analysis import structure_factor
from mlmd.md import MDSettings
from mlmd.runs import to_jsonable, write_json_atomic
from potentials import observations
from tests.potentials.factories import make_simulation


def write_scattering(folder):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    found = structure_factor([atoms.positions], [atoms.cell.array], atoms.numbers, 6.0)
    folder.mkdir(parents=True, exist_ok=True)
    span = {"stage": 0, "from_step": 10, "to_step": 40}
    write_json_atomic(folder / "sq.json", span | to_jsonable(found))
    return found


def test_the_structure_factor_is_drawn_with_its_partials(tmp_path):
    assert observations.scattering_figure(tmp_path, None)["data"] == []
    found = write_scattering(tmp_path)
    figure = observations.scattering_figure(tmp_path, "/curve.csv")
    assert [trace["name"] for trace in figure["data"]] == ["Na–Na", "Na–Cl", "Cl–Cl", "all"]
    assert "S = 8.00" in figure["alt"]  # reflections with all eight atoms in phase
    np.testing.assert_allclose(figure["data"][-1]["y"], found.total, rtol=1e-5, atol=1e-9)


def test_the_structure_factor_comes_over_the_api(owner, lab, sign_in):
    row = make_simulation(owner, lab)
    client = sign_in(owner)
    url = reverse("api:simulation-table", args=[row.public_id, "sq"])
    assert client.get(url).status_code == 404
    found = write_scattering(job_folder(row.job))
    rows = list(csv.DictReader(client.get(url).content.decode().splitlines()))
    assert len(rows) == len(found.wave_numbers)
    assert float(rows[0]["s_Na-Cl"]) == found.partial[1, 0]
    page = client.get(reverse("potentials:simulation", args=[row.public_id])).content.decode()
    assert "Structure factor, CSV" in page


def test_what_is_not_held_is_said_to_be_none():
    rows = {row["label"]: row["value"] for row in settings_rows(MDSettings, vars(MDSettings()))}
    assert rows["Fixed atoms"] == rows["Fixed below"] == "none"
    assert rows["Temperature limit"] == "automatic"
