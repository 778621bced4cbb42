"""vasprun.xml: each trap that real files hold, one test each, then the real files themselves."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mlmd.formats import open_frames
from mlmd.formats.vasprun_cutter import Cutter
from mlmd.formats.xml import new_parser
from mlmd.units import KBAR
from tests.mlmd.formats.vasprun_files import DOS, STRESS, vasprun


@pytest.fixture
def read(tmp_path):
    def _read(text: str):
        path = tmp_path / "vasprun.xml"
        path.write_text(text)
        reader = open_frames(path)
        frames = list(reader)
        return frames, reader.issues

    return _read


def test_a_step_is_read_with_its_signs_and_units(read):
    (frame,), issues = read(vasprun())
    assert issues == []
    assert (frame.energy, frame.energy_sigma0) == (-10.0, -9.9)
    np.testing.assert_array_equal(frame.cell, [[4, 0, 0], [0, 4, 0], [1, 0, 5]])
    np.testing.assert_array_equal(frame.positions, [[0, 0, 0], [2.5, 2, 2.5]])
    np.testing.assert_array_equal(frame.forces, [[0.5, 0, 0], [-0.5, 0, 0]])
    # 10 kB of VASP is compression, so the Cauchy stress is negative.
    np.testing.assert_allclose(
        frame.stress, -KBAR * np.array([[10, 1, 0], [1, 20, 0], [0, 0, -30]])
    )
    assert frame.stress[0, 0] == pytest.approx(-10 * 6.2415e-4, rel=1e-4)
    np.testing.assert_array_equal(frame.fixed, [[True] * 3, [False, False, True]])
    assert frame.scf_converged
    assert frame.label_source == "ab initio"
    calculation = frame.calculation
    assert (calculation.code, calculation.version) == ("vasp", "6.3.0")
    assert (calculation.functional, calculation.cutoff_energy) == ("PBE", 400.0)
    assert calculation.k_points == (4, 4, 4)
    assert calculation.smearing == "methfessel-paxton 1 0.2 eV"
    assert calculation.pseudopotentials == {"Si": "PAW_PBE Si 05Jan2001"}
    assert len(calculation.source_sha256) == 64


@pytest.mark.parametrize(
    ("version", "mislabelled"),
    [("4.6.35", True), ("5.4.4.18Apr17-6-g9f103f2a35", True), ("6.0.8", True), ("6.1.0", False)],
)
def test_versions_before_6_1_mislabel_the_energies_of_a_step(read, version, mislabelled):
    energies = ("-10.0", "-9.9", "-0.2") if mislabelled else ("-10.0", "-9.8", "-9.9")
    (frame,), _ = read(vasprun(version=version, energies=energies))
    assert (frame.energy, frame.energy_sigma0) == (-10.0, -9.9)


@pytest.mark.parametrize("energies", [("-10.0", "-9.9", "-0.2"), ("-10.0", "-9.8", "-9.9")])
def test_without_a_version_the_numbers_decide(read, energies):
    (frame,), _ = read(vasprun(version="", energies=energies))
    assert frame.energy_sigma0 == -9.9


def test_an_enthalpy_is_turned_into_an_energy(read):
    (frame,), issues = read(vasprun(parameters={"PSTRESS": "100.0"}))
    assert frame.energy == pytest.approx(-10.0 - 100 * KBAR * 80)
    assert frame.energy_sigma0 == pytest.approx(-9.9 - 100 * KBAR * 80)
    assert frame.flags == ("enthalpy-corrected",)
    assert "enthalpies" in str(issues[0])


def test_machine_learned_steps_are_never_ab_initio(read):
    frames, issues = read(vasprun(steps=2, machine_learned=3))
    assert [f.label_source for f in frames] == ["ab initio"] * 2 + ["ml"] * 3
    assert [f.ionic_step for f in frames] == [0, 1, 2, 3, 4]
    assert "3 of 5 steps" in str(issues[0])


def test_a_purely_machine_learned_run_is_not_empty(read):
    frames, _ = read(vasprun(steps=0, machine_learned=4))
    assert [f.label_source for f in frames] == ["ml"] * 4


@pytest.mark.parametrize(
    ("electronic", "nelm", "parameters", "converged"),
    [
        ((-9.0, -10.0), 60, {}, True),
        ((-9.0, -10.0), 2, {}, False),
        ((-10.0, -10.000001), 2, {}, True),
        ((-9.0, -10.0), 2, {"LEPSILON": "T"}, None),
        ((), 60, {}, None),
    ],
)
def test_electronic_convergence_is_judged_step_by_step(
    read, electronic, nelm, parameters, converged
):
    (frame,), issues = read(vasprun(electronic=electronic, nelm=nelm, parameters=parameters))
    assert frame.scf_converged is converged
    assert bool(issues) is (converged is False)


@pytest.mark.parametrize(
    ("incar", "parameters", "says"),
    [
        ({}, {"ICHARG": "11"}, "ICHARG = 11"),
        ({"ALGO": "BSE"}, {}, "ALGO = BSE"),
        ({"ALGO": " GW0 ! comment"}, {}, "GW0"),
        ({"ALGO": "EVGW0R"}, {}, "EVGW0R"),
        ({}, {"IBRION": "-1", "NSW": "5"}, "repeats one geometry"),
        ({"METAGGA": "MBJ"}, {}, "without an energy functional"),
    ],
)
def test_runs_whose_results_are_no_labels_are_refused_with_the_reason(
    read, incar, parameters, says
):
    frames, issues = read(vasprun(incar=incar, parameters=parameters))
    assert frames == []
    assert [i.severity for i in issues] == ["refused"]
    assert says in str(issues[0])


@pytest.mark.parametrize(
    "algorithm", ["Normal", "Fast", "All ! SCF Combo", "D", "Exact", "N", "VeryFast"]
)
def test_ground_state_algorithms_are_not_refused(read, algorithm):
    frames, _ = read(vasprun(incar={"ALGO": algorithm}, parameters={"IBRION": "-1", "NSW": "0"}))
    assert len(frames) == 1


def test_stars_in_a_force_cost_that_step_only(read):
    frames, issues = read(vasprun(steps=3, forces=("0.5", "**********", "0.5")))
    assert [f.ionic_step for f in frames] == [0, 2]
    assert "ionic step 2" in issues[0].where
    assert "***" in str(issues[0])


def test_stars_in_the_stress_cost_the_stress_only(read):
    frames, issues = read(vasprun().replace("20.00000000       0.00000000 </v>", "******* 0 </v>"))
    assert frames[0].stress is None
    assert frames[0].forces is not None
    assert "stress" in str(issues[0])


@pytest.mark.parametrize(
    ("symbol", "title", "number"),
    [
        ("X", "PAW_PBE Xe 07Sep2000", 54),
        ("r", "PAW_PBE Zr_sv 04Jan2005", 40),
        ("q ", "PAW_PBE Zr_sv 04Jan2005", 40),
        ("F ", "PAW_PBE F 08Apr2002", 9),
    ],
)
def test_cut_element_names_are_recognised(read, symbol, title, number):
    (frame,), _ = read(vasprun(symbol=symbol, title=title))
    assert frame.numbers.tolist() == [number] * 2


def test_an_element_that_cannot_be_resolved_is_refused(read):
    frames, issues = read(vasprun(symbol="Z", title="unknown"))
    assert frames == []
    assert "“Z”" in str(issues[0])


@pytest.mark.parametrize(
    ("incar", "parameters", "title", "functional", "dispersion"),
    [
        ({}, {"GGA": "--"}, "PAW_PBE Si", "PBE", ""),
        ({}, {"GGA": "--"}, "PAW Si", "LDA", ""),
        ({}, {"GGA": "--"}, "PAW_GGA Si", "PW91", ""),
        ({}, {"GGA": "PS"}, "PAW_PBE Si", "PBEsol", ""),
        ({"GGA": "Rp # revised"}, {}, "PAW_PBE Si", "RPBE", ""),
        ({"METAGGA": "R2SCAN", "IVDW": "13"}, {"GGA": "--"}, "PAW_PBE Si", "r2SCAN", "D4"),
        ({"IVDW": "12 ! BJ"}, {"GGA": "PE"}, "PAW_PBE Si", "PBE", "D3(BJ)"),
        ({"LVDW": ".TRUE."}, {}, "PAW_PBE Si", "PBE", "D2"),
        ({}, {"LHFCALC": "T", "HFSCREEN": "0.2", "AEXX": "0.25"}, "PAW_PBE Si", "HSE06", ""),
        ({}, {"LHFCALC": "T", "HFSCREEN": "0.0"}, "PAW_PBE Si", "PBE0", ""),
        ({}, {"LUSE_VDW": "T", "GGA": "MK"}, "PAW_PBE Si", "optB86b-vdW", ""),
    ],
)
def test_the_functional_is_derived(read, incar, parameters, title, functional, dispersion):
    (frame,), _ = read(vasprun(incar=incar, parameters=parameters, title=title))
    assert (frame.calculation.functional, frame.calculation.dispersion) == (functional, dispersion)


def test_charge_spin_and_hubbard_u_are_derived(read):
    parameters = {"LDAU": "T", "LDAUU": "5.0", "LDAUJ": "1.0", "ISPIN": "2"}
    (frame,), _ = read(vasprun(nelect=7.0, parameters=parameters))
    assert frame.calculation.charge == 1.0
    assert frame.calculation.spin == "collinear"
    assert frame.calculation.hubbard_u == {"Si": 4.0}


def test_a_cut_file_gives_every_complete_step(read):
    text = vasprun(steps=3)
    third = text.rindex("<calculation>")
    for cut, kept in (
        (len(text) - 12, 3),  # in </modeling>
        (text.rindex("<dos>") + 9, 3),  # labels of the third step are whole
        (text.rindex("e_0_energy"), 2),
        (third + 5, 2),
    ):
        frames, issues = read(text[:cut])
        assert len(frames) == kept
        assert any("ends early" in str(i) for i in issues), cut


def test_a_file_cut_in_its_head_says_so(read):
    frames, issues = read(vasprun()[:600])
    assert frames == []
    assert any(i.severity == "lost" for i in issues)


def test_missing_pieces_of_a_step_are_named(read):
    frames, issues = read(
        vasprun().replace("<v>      -0.50000000       0.00000000       0.00000000 </v>", "")
    )
    assert frames == []
    assert "1 rows of forces" in str(issues[0])
    start = vasprun().index("  <structure>\n")
    text = vasprun()
    frames, issues = read(text[:start] + text[text.index('  <varray name="forces"') :])
    assert frames == []
    assert "no structure" in str(issues[0])


def test_comments_and_cdata_with_markup_inside_mislead_nobody(read):
    noise = "<!-- <dos> <varray> --><![CDATA[ <projected> ]]><?pi <dos> ?>"
    text = vasprun(steps=2).replace(DOS, noise + DOS.replace("<total>", "<!-- </dos> --><total>"))
    text = text.replace(STRESS, STRESS.replace("<v>", "<!-- </varray> --><v>", 1))
    frames, issues = read(text)
    assert issues == []
    assert len(frames) == 2
    np.testing.assert_allclose(frames[1].stress[0, 0], -10 * KBAR)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_the_size_of_chunks_does_not_matter(size):
    text = vasprun(steps=2).replace(DOS, "<!-- <dos> -->" + DOS).encode()
    seen: list[str] = []
    blocks: list[bytes] = []
    parser = new_parser("x")
    parser.StartElementHandler = lambda tag, _attributes: seen.append(tag)
    cutter = Cutter(parser, lambda _tag, body: not blocks.append(body), "x")
    for start in range(0, len(text), size):
        cutter.feed(text[start : start + size])
    cutter.close()
    assert seen.count("calculation") == 2
    assert seen.count("dos") == 2
    assert "total" not in seen
    assert "v" not in [t for t in seen if t == "efermi"]
    # k-points and the initial structure; per step four blocks and three electronic steps.
    assert len(blocks) == 4 + 2 * (4 + 3)
    assert sum(b"<v" in block for block in blocks) == 4 + 2 * 4


def test_utf16_goes_the_slow_way_and_gives_the_same(tmp_path):
    text = vasprun(steps=2).replace("ISO-8859-1", "UTF-16")
    (tmp_path / "a").write_bytes(text.encode("utf-16"))
    (tmp_path / "b").write_text(vasprun(steps=2))
    a, b = (list(open_frames(tmp_path / n)) for n in "ab")
    assert len(a) == len(b) == 2
    np.testing.assert_array_equal(a[1].forces, b[1].forces)


# What each real file gives: (first principles, machine-learned, remark). The rest of the 59
# files follow the rule below the table: as many frames as complete steps.
SPECIAL = {
    "Kevlar-BayesOpt": (0, 0, "ends early"),
    "exit_codes__unfinished": (0, 0, "ends early"),
    "vasp_wc_ionic_unfinished": (2, 0, "ends early"),
    "match_test__vasprun.xml.gz": (0, 0, "ends early"),
    "match_test__vasprun.xml.bands": (0, 0, "ends early"),
    "match_test__vasprun.xml.relax2": (0, 0, "ends early"),
    "algo_d__P": (0, 0, "ends early"),
    "analysis__solar": (0, 0, "METAGGA = MBJ"),
    "optical_transitions": (0, 0, "ALGO = BSE"),
    "tools__vasprun": (0, 0, "ICHARG = 11"),
    "dielectric_bad": (0, 0, "no structure"),
    "ml_md": (20, 80, "80 of 100 steps"),
    "electronic_amin": (5, 0, "stopped after 100 steps"),
    "vasprun_samples__vasprun_1": (4, 0, "stopped after 40 steps"),
    "O2_mmm_EaH_0__vasp_ncl": (1, 0, "stopped after 60 steps"),
}


def _peers() -> list[dict]:
    folder = Path(__file__).resolve().parents[4] / "shared" / "reference" / "vasprun"
    if "MLMD_REFERENCE" in os.environ:
        folder = Path(os.environ["MLMD_REFERENCE"]) / "vasprun"
    listing = folder / "PEERS.json"
    entries = json.loads(listing.read_text())["files"] if listing.is_file() else []
    return [e for e in entries if (folder / e["file"]).is_file()]


@pytest.mark.parametrize("entry", _peers(), ids=lambda e: e["file"][:-7][-60:])
def test_every_real_file_gives_the_right_frames_or_the_right_refusal(entry, shared_reference):
    reader = open_frames(shared_reference / "vasprun" / entry["file"])
    frames = list(reader)
    special = next((v for k, v in SPECIAL.items() if k in entry["file"]), None)
    steps, learned, remark = special or (entry["complete_ionic_steps"], 0, "")
    assert [f.label_source for f in frames].count("ab initio") == steps
    assert [f.label_source for f in frames].count("ml") == learned
    assert remark in " ".join(map(str, reader.issues))
    assert bool(reader.issues) is bool(remark)
    _compare_with_ase([f for f in frames if f.label_source == "ab initio"], entry.get("ase", {}))


def _compare_with_ase(frames, ase):
    """ASE is right on these numbers: energies, raw forces, sign of the stress."""
    if len(ase.get("free_energy") or []) != len(frames):
        return
    for i, frame in enumerate(frames):
        assert frame.energy == pytest.approx(ase["free_energy"][i], abs=1e-7)
        assert frame.energy_sigma0 == pytest.approx(ase["energy"][i], abs=1e-7)
        total = ase["sum_abs_forces"][i]
        if total is not None:
            assert np.abs(frame.forces).sum() == pytest.approx(total, abs=1e-6)
    expected = ase.get("stress_voigt_last")
    if expected and frames and frames[-1].stress is not None:
        np.testing.assert_allclose(np.diag(frames[-1].stress), expected[:3], rtol=1e-4, atol=1e-8)
