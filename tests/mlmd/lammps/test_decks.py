"""Decks, logs and dumps without LAMMPS: against recorded runs, and at their edges."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixCartesian

from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import load_potential
from mlmd.lammps import LammpsSpec, PairStyle, aenet_style, hdnnp_style, prepare
from mlmd.lammps.dump import read_dump
from mlmd.lammps.frame_of_reference import reference_frame
from mlmd.lammps.log import parse_log
from mlmd.md import Ensemble, MDSettings, Stage, StageKind

STYLE = PairStyle("pair_style sw", lambda types: ("pair_coeff * * f Si",), ("Si",))


def deck(tmp_path, atoms, style=STYLE, **settings):
    prepare(LammpsSpec(MDSettings(**settings), atoms, style), tmp_path)
    return (tmp_path / "in.lammps").read_text()


@pytest.mark.parametrize(
    ("case", "length", "energy"),
    [("Cu2S_PBE", "angstrom", "ev"), ("H2O_RPBE-D3", "bohr", "hartree")],
)
def test_the_lines_for_n2p2_say_what_recorded_decks_said(shared_reference, case, length, energy):
    folder = shared_reference / "n2p2" / "md_lammps"
    recorded = (folder / f"{case}.lmp").read_text()
    potential = load_potential(folder / f"{case}_hdnnp-data", length, energy)
    style = hdnnp_style(potential.elements, potential.cutoff_radius, length, energy, "data")
    theirs = _options(re.search(r"^pair_style hdnnp .*$", recorded, re.M)[0])
    ours = _options(style.style)
    for name in ("cflength", "cfenergy"):
        assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=1e-6)
    assert float(ours["cutoff"]) >= potential.cutoff_radius
    assert float(ours["cutoff"]) == pytest.approx(_cutoff(recorded), abs=0.02)
    assert int(ours["maxew"]) > 0, "LAMMPS' own 0 ends a run at its first extrapolation"
    types = re.search(r"^pair_coeff \* \* (.*)$", recorded, re.M)[1].split()
    assert style.lines(types)[1].split() == ["pair_coeff", "*", "*", *types]


def _options(line):
    words = line.split()
    return {"cutoff": words[2] if "$" not in words[2] else "0"} | dict(
        zip(words[3::2], words[4::2], strict=True)
    )


def _cutoff(recorded):
    return float(re.search(r"hdnnpCutoff\s+equal\s+(\S+)", recorded)[1])


def test_the_lines_for_aenet_name_elements_files_and_types():
    style = aenet_style(("O", "Ti"), ("O.15t-15t.nn", "Ti.15t-15t.nn"))
    assert style.lines(("Ti", "O")) == (
        "pair_style aenet",
        "pair_coeff * * v00 O Ti 15t-15t.nn Ti O",
    )


@pytest.mark.parametrize(
    ("ensemble", "expected"),
    [
        (Ensemble.NVE, ["fix move mobile nve"]),
        (
            Ensemble.NVT_LANGEVIN,
            ["fix move mobile nve", "fix bath mobile langevin 300 300 0.05 6 zero yes tally yes"],
        ),
        (
            Ensemble.NVT_BUSSI,
            ["fix move mobile nve", "fix bath mobile temp/csvr 300 300 0.05 6"],
        ),
        (Ensemble.NVT_NOSE_HOOVER, ["fix move mobile nvt temp 300 300 0.05 tchain 4"]),
        (
            Ensemble.NPT,
            ["fix move mobile npt temp 300 300 0.05 iso 20000 20000 2 tchain 4"],
        ),
        (
            Ensemble.NPT_AXES,
            ["fix move mobile npt temp 300 300 0.05 aniso 20000 20000 2 tchain 4"],
        ),
        (
            Ensemble.NPT_FULL,
            ["fix move mobile npt temp 300 300 0.05 tri 20000 20000 2 flip no tchain 4"],
        ),
    ],
)
def test_each_ensemble_has_its_fixes_in_units_of_lammps(tmp_path, ensemble, expected):
    text = deck(
        tmp_path,
        bulk("Si", cubic=True),
        stages=(Stage(10, StageKind.HOLD, ensemble, 300.0, None, 2.0),),
        thermostat_time=50.0,
        barostat_time=2000.0,
        chain_length=4,
        seed=5,
        time_step=0.5,
    )
    assert [line for line in text.splitlines() if line.startswith("fix ")] == expected
    assert "timestep 0.0005" in text


def test_a_stress_is_said_in_the_axes_and_the_sign_of_lammps(tmp_path):
    silicon = bulk("Si", cubic=True)
    stage = Stage(10, StageKind.HOLD, Ensemble.NPT_FULL, 300.0, None, 1.0, "0.5 0 0 0 0 0.2")
    text = deck(tmp_path, silicon, stages=(stage,), barostat_time=2000.0)
    assert (
        "x 5000 5000 2 y 10000 10000 2 z 10000 10000 2 "
        "yz 0 0 2 xz 0 0 2 xy -2000 -2000 2 flip no" in text
    )
    silicon.rotate(90, "z", rotate_cell=True)
    text = deck(tmp_path, silicon, stages=(stage,), barostat_time=2000.0)
    words = text.split("fix move ")[1].split()
    found = {axis: float(words[words.index(axis) + 1]) for axis in ("x", "y", "z", "xy")}
    assert found == pytest.approx({"x": 10000, "y": 5000, "z": 10000, "xy": 2000})
    axial = Stage(10, StageKind.HOLD, Ensemble.NPT_AXES, 300.0)
    with pytest.raises(InvalidInput, match="LAMMPS' orientation"):
        deck(tmp_path, silicon, stages=(axial,))


def test_what_lammps_cannot_do_is_refused_with_words(tmp_path):
    silicon = bulk("Si", cubic=True)
    with pytest.raises(InvalidInput, match="elements that the potential doesn't know: Ge"):
        deck(tmp_path, Atoms("SiGe", [(0, 0, 0), (0, 0, 2.4)], cell=[9] * 3, pbc=True))
    isotopes = silicon.copy()
    isotopes.set_masses([30.0] + [28.085] * 7)
    with pytest.raises(InvalidInput, match="different masses"):
        deck(tmp_path, isotopes)
    silicon.set_constraint(FixCartesian(0, (True, False, False)))
    with pytest.raises(InvalidInput, match="some directions only"):
        deck(tmp_path, silicon)


@pytest.mark.parametrize("handed", [1, -1])
def test_the_box_is_the_cell_turned_and_nothing_else(handed):
    random = np.random.default_rng(3)
    for _ in range(20):
        cell = random.normal(size=(3, 3)) * 5
        if np.sign(np.linalg.det(cell)) != handed:
            cell[0] *= -1
        positions = random.normal(size=(7, 3)) * 4
        frame = reference_frame(cell, (True, True, True), positions)
        assert np.all(np.diag(frame.box) > 0)
        assert np.allclose(np.triu(frame.box, 1), 0)
        np.testing.assert_allclose(frame.from_box(frame.box), cell, atol=1e-12)
        np.testing.assert_allclose(frame.from_box(frame.to_box(positions)), positions, atol=1e-12)


def test_a_slab_keeps_its_periodic_vectors_and_gets_room_across(tmp_path):
    cell = np.array([[4.0, 0, 0], [1.0, 5.0, 0], [0, 0, 0]])
    positions = np.array([[0, 0, -3.0], [1, 1, 9.0]])
    frame = reference_frame(cell, (True, True, False), positions)
    np.testing.assert_allclose(frame.from_box(frame.box)[:2], cell[:2], atol=1e-12)
    inside = frame.to_box(positions)
    assert np.all(inside[:, 2] > frame.origin[2])
    assert np.all(inside[:, 2] < frame.origin[2] + frame.box[2, 2])


HEAD = "   Step          Temp          PotEng         KinEng         TotEng        Econserve"
HEAD += "       Press         Density        Volume\n"


def row(step, energy=-10.0):
    return f"  {step}   300.0  {energy}  1.0  -9.0  -9.0  10000  2.33  160.0\n"


def test_a_log_is_read_through_warnings_summaries_and_a_second_start():
    lines = [
        "LAMMPS (29 Sep 2021 - Update 2)\n",
        "# mlmd stage 0\n",
        HEAD,
        row(0),
        row(10),
        "### NNP EW SUMMARY ### TS:         10 EW         11 EWPERSTEP  1.100E-01\n",
        "WARNING: something odd (src/x.cpp:1)\n",
        row(20),
        "# mlmd stage 0\n",  # started again from the state of step 10
        HEAD,
        row(10, -11.0),
        row(20, -12.0),
        "Loop time of 1.5 on 2 procs for 10 steps with 8 atoms\n",
        "# mlmd stage 1\n",
        HEAD,
        row(20, -12.0),
        row(30, -13.0),
        "ERROR: Lost atoms: original 8 current 7 (src/thermo.cpp:494)\n",
        "  40   30",
    ]
    log = parse_log(lines, MDSettings(time_step=2.0))
    assert [r.step for r in log.rows] == [0, 10, 20, 30]
    assert [r.potential_energy_ev for r in log.rows] == [-10.0, -10.0, -12.0, -13.0]
    assert [r.stage for r in log.rows] == [0, 0, 0, 1]
    assert log.rows[-1].time_ps == pytest.approx(0.06)
    assert log.rows[-1].pressure_gpa == pytest.approx(1.0)
    assert log.extrapolations == [(10, 11)]
    assert log.seconds == 1.5
    assert log.error.startswith("ERROR: Lost atoms")
    assert log.warnings == ["WARNING: something odd (src/x.cpp:1)"]


def test_a_dump_cut_within_a_frame_gives_the_whole_ones(tmp_path):
    def frame(step, x):
        return (
            f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\n"
            "ITEM: BOX BOUNDS xy xz yz pp pp pp\n-1 5 -1 1 0\n0 4 1 0 0\n0 3 0 0 0\n".replace(
                "-1 5 -1 1 0", "-1 6 -1"
            )
            .replace("0 4 1 0 0", "0 4 1")
            .replace("0 3 0 0 0", "0 3 0")
            + f"ITEM: ATOMS id xu yu zu\n2 1 1 1\n1 {x} 0 0\n"
        )

    path = tmp_path / "trajectory.dump"
    path.write_text(frame(0, 0.5) + frame(10, 0.6)[:-9] + frame(5, 0.7) + frame(10, 0.8)[:-2])
    frames = list(read_dump(path))
    assert [f.step for f in frames] == [0, 5]
    assert frames[1].positions[0, 0] == 0.7
    # Bounds are those of the envelope: x from -1 to 6 holds a box of length 5 with tilts -1 and 1.
    np.testing.assert_allclose(frames[0].box, [[5, 0, 0], [-1, 4, 0], [1, 0, 3]])
