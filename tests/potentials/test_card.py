"""The card of a potential: what it says where the training knows more than energies and forces."""

from __future__ import annotations

import pytest
from django.urls import reverse

from mlmd.hdnnp.training import COMMITTEE_FILE, GroupErrors
from mlmd.runs import write_json_atomic
from potentials.cards import glance_rows
from potentials.families.hdnnp import _committee
from potentials.families.outcomes import entry
from tests.potentials.factories import make_potential

pytestmark = pytest.mark.django_db


def test_the_error_of_the_stress_is_shown_where_there_is_one(owner, lab):
    errors = GroupErrors("all", "validation", 3, 1.0, 1.0, 2.0, 2.0, 0.25, 0.2)
    known = make_potential(owner, lab, validation={"validation": entry([errors])})
    rows = {row["label"]: row["value"] for row in glance_rows(known)}
    assert rows["Stress RMSE, held out"] == "0.250"
    unknown = make_potential(owner, lab)
    assert "Stress RMSE, held out" not in {row["label"] for row in glance_rows(unknown)}


def test_the_disagreement_of_a_committee_is_shown(owner, lab, tmp_path, sign_in):
    path = tmp_path / COMMITTEE_FILE
    content = {"members": 4, "held_out": True, "energy_spread": 1.5, "force_spread": 42.0}
    write_json_atomic(path, {"version": 1, **content, "frames": []})
    potential = make_potential(owner, lab, validation=_committee(path))
    page = sign_in(owner).get(reverse("potentials:detail", args=[potential.public_id]))
    assert "Committee of 4 disagrees by" in page.content.decode()
    assert "42.0 meV/Å, 1.50 meV/atom on held-out frames" in page.content.decode()
    assert _committee(tmp_path / "nothing.json") == {}
