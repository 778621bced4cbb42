"""pw.x XML: units, signs, the pairing of steps, and what is no label."""

import gzip

import numpy as np
import pytest

from mlmd.formats import open_frames
from mlmd.units import BOHR, HARTREE

ATOMS = """<atomic_structure nat="2" alat="10.0"><atomic_positions>
<atom name="{a}" index="1">0.0 0.0 0.0</atom><atom name="{b}" index="2">1.0 2.0 {z}</atom>
</atomic_positions><cell><a1>10.0 0.0 0.0</a1><a2>0.0 10.0 0.0</a2><a3>0.0 0.0 10.0</a3></cell>
</atomic_structure>"""
RESULT = """<total_energy><etot>{energy}</etot><demet>-2.0e-2</demet></total_energy>
<forces rank="2" dims="3 2" order="F">0.1 0.0 0.0 {force} 0.0 0.0</forces>
<stress rank="2" dims="3 3" order="F">1.0e-4 0 0 0 2.0e-4 0 0 0 -3.0e-4</stress>"""
CONVERGED = "<scf_conv><convergence_achieved>{flag}</convergence_achieved></scf_conv>"


def xml(
    kind="scf",
    steps=(),
    final=None,
    a="Fe1",
    b="O_h",
    smearing="gaussian",
    extra="",
    end="</qes:espresso>",
):
    """Return a file; steps and final are (energy, z) pairs."""
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<qes:espresso xmlns:qes="http://www.quantum-espresso.org/ns/qes/qes-1.0">
<general_info><creator NAME="PWSCF" VERSION="7.2">x</creator></general_info>
<input><control_variables><calculation>{kind}</calculation><prefix>p</prefix></control_variables>
<atomic_species ntyp="2"><species name="{a}"><mass>55.845</mass><pseudo_file>Fe.UPF</pseudo_file>
</species><species name="{b}"><mass>15.999</mass><pseudo_file>O.UPF</pseudo_file></species>
</atomic_species>{ATOMS.format(a=a, b=b, z=3.0)}
<dft><functional>PBE</functional><vdW><vdw_corr>DFT-D3</vdw_corr><dftd3_version>4</dftd3_version></vdW>
</dft><spin><lsda>true</lsda><noncolin>false</noncolin><spinorbit>false</spinorbit></spin>
<bands><smearing degauss="1.0e-2">{smearing}</smearing><tot_charge>1.0</tot_charge></bands>
<basis><ecutwfc>20.0</ecutwfc></basis>
<k_points_IBZ><monkhorst_pack nk1="2" nk2="3" nk3="4">x</monkhorst_pack></k_points_IBZ>
<free_positions rank="2" dims="3 2">1 1 1 1 0 1</free_positions>{extra}</input>"""
    for energy, z in steps:
        text += (
            f"<step n_step='1'>{CONVERGED.format(flag='true')}"
            f"{ATOMS.format(a=a, b=b, z=z)}{RESULT.format(energy=energy, force='-0.1')}</step>"
        )
    if final:
        energy, z = final
        text += (
            f"<output><convergence_info>{CONVERGED.format(flag='false')}</convergence_info>"
            f"{ATOMS.format(a=a, b=b, z=z)}{RESULT.format(energy=energy, force='-0.1')}"
            "<band_structure><ks_energies><eigenvalues>**** nonsense</eigenvalues></ks_energies>"
            "</band_structure></output>"
        )
    return text + end


@pytest.fixture
def read(tmp_path):
    def _read(text: str):
        path = tmp_path / "data-file-schema.xml"
        path.write_text(text)
        reader = open_frames(path)
        assert reader.format == "espresso-xml"
        frames = list(reader)
        return frames, reader.issues

    return _read


def test_a_run_is_read_with_its_units_and_signs(read):
    (frame,), issues = read(xml(final=(-100.0, 3.0)))
    assert issues == []
    assert frame.numbers.tolist() == [26, 8]
    np.testing.assert_allclose(frame.positions[1], np.array([1, 2, 3]) * BOHR)
    np.testing.assert_allclose(frame.cell, np.eye(3) * 10 * BOHR)
    assert frame.energy == pytest.approx(-100 * HARTREE)
    assert frame.energy_sigma0 == pytest.approx((-100 + 0.01) * HARTREE)
    np.testing.assert_allclose(frame.forces[0], [0.1 * HARTREE / BOHR, 0, 0])
    np.testing.assert_allclose(
        np.diag(frame.stress), -np.array([1e-4, 2e-4, -3e-4]) * HARTREE / BOHR**3
    )
    assert frame.fixed.tolist() == [[False] * 3, [False, True, False]]
    assert frame.scf_converged is False
    calculation = frame.calculation
    assert (calculation.code, calculation.version) == ("espresso", "7.2")
    assert (calculation.functional, calculation.dispersion) == ("PBE", "D3(BJ)")
    assert calculation.cutoff_energy == pytest.approx(20 * HARTREE)
    assert calculation.k_points == (2, 3, 4)
    assert (calculation.spin, calculation.charge) == ("collinear", 1.0)
    assert calculation.smearing == "gaussian 0.2721 eV"
    assert calculation.pseudopotentials == {"Fe1": "Fe.UPF", "O_h": "O.UPF"}


def test_cold_smearing_has_no_energy_at_zero_width(read):
    (frame,), _ = read(xml(final=(-100.0, 3.0), smearing="mv"))
    assert frame.energy_sigma0 is None


def test_every_step_keeps_its_own_geometry_and_a_repeated_end_is_read_once(read):
    frames, _ = read(xml("relax", steps=[(-1.0, 3.0), (-2.0, 4.0)], final=(-2.0, 4.0)))
    assert [f.energy for f in frames] == pytest.approx([-HARTREE, -2 * HARTREE])
    assert [f.positions[1, 2] for f in frames] == pytest.approx([3 * BOHR, 4 * BOHR])
    assert [f.ionic_step for f in frames] == [0, 1]


def test_the_final_run_of_a_cell_relaxation_is_flagged(read):
    frames, issues = read(xml("vc-relax", steps=[(-1.0, 3.0)], final=(-1.0001, 3.0)))
    assert [f.flags for f in frames] == [(), ("new-basis",)]
    assert "final cell" in str(issues[0])


@pytest.mark.parametrize("kind", ["nscf", "bands"])
def test_runs_without_a_density_of_their_own_are_refused(read, kind):
    frames, issues = read(xml(kind, final=(0.0, 3.0)))
    assert frames == []
    assert issues[0].severity == "refused"
    assert kind in str(issues[0])


def test_uninitialised_forces_are_not_believed(read):
    text = xml(final=(-1.0, 3.0)).replace("-0.1 0.0 0.0", "3.4e-310 0.0 0.0")
    (frame,), issues = read(text)
    assert frame.forces is None
    assert "uninitialised" in str(issues[0])


def test_a_cut_run_keeps_its_steps(read):
    text = xml("md", steps=[(-1.0, 3.0), (-2.0, 4.0), (-3.0, 5.0)], final=(-4.0, 6.0))
    frames, issues = read(text[: text.rindex("<step") + 300])
    assert len(frames) == 2
    assert "2 complete steps" in str(issues[-1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("-0.1 0.0 0.0", "-0.1 0.0"), "5 values in forces"),
        (("<etot>-1.0</etot>", "<etot>*****</etot>"), "*****"),
        (('<atom name="Fe1"', '<atom name="Qq"'), "Qq"),
        (('nat="2" alat', 'nat="3" alat'), "nat says 3"),
    ],
)
def test_damage_is_named(read, change, says):
    text = xml(final=(-1.0, 3.0))
    head, _, output = text.partition("<output>")
    frames, issues = read(head + "<output>" + output.replace(*change))
    assert frames == []
    assert says in str(issues[0])


def test_an_input_alone_is_refused(read):
    frames, issues = read(xml())
    assert frames == []
    assert "only an input" in str(issues[0])


def test_charge_that_changes_with_the_step_is_kept(read):
    text = xml("relax", steps=[(-1.0, 3.0)], extra="<fcp><fcp_mu>0</fcp_mu></fcp>")
    text = text.replace("</step>", "<fcp_tot_charge>0.5</fcp_tot_charge></step>")
    (frame,), _ = read(text)
    assert frame.flags == ("grand-canonical",)
    assert frame.calculation.charge == 0.5


def test_hubbard_u_is_in_hartree_there(read):
    correction = (
        '<dftU><Hubbard_U specie="Fe1" label="3d">1.220077496231744E-001</Hubbard_U>'
        '<Hubbard_U specie="O_h" label="no Hubbard">0.0</Hubbard_U></dftU><vdW>'
    )
    (frame,), _ = read(xml(final=(-1.0, 3.0)).replace("<vdW>", correction))
    assert frame.calculation.hubbard_u == {"Fe1": pytest.approx(3.32, abs=1e-5)}


# Frames, and a word of the first issue, of every real XML file.
REAL = {
    "neb__default": (1, "uninitialised"),
    "numbered_kinds": (0, "nscf"),
    "spinpolarised": (0, "nscf"),
    "projwfc__xml_format": (0, "only an input"),
    "default_xml_241104": (1, "no forces"),
    "default_xml_260128": (1, ""),
    "scf_success_rVV10": (1, "no forces"),
    "vcrelax_failed_charge_wrong": (0, "before 6.0"),
    "vcrelax_success_external_pressure": (3, "final cell"),
    "TiO2_opt": (6, "final cell"),
    "GCSCF_v00": (1, ""),
    "FCP_vp05": (5, ""),
    "Al_bands": (0, "only an input"),
    "Fe_non_collinear": (0, "only an input"),
    "PbTiO3_BerryPhase": (0, "only an input"),
}


@pytest.mark.parametrize("name", REAL)
def test_every_real_file_gives_the_right_frames_or_the_right_refusal(name, shared_reference):
    (path,) = (shared_reference / "qe").glob(f"*{name}*xml.gz")
    count, says = REAL[name]
    reader = open_frames(path)
    frames = list(reader)
    assert len(frames) == count
    assert bool(reader.issues) is bool(says)
    assert says in " ".join(map(str, reader.issues))


def test_a_real_cell_relaxation_agrees_with_its_own_text(shared_reference):
    (path,) = (shared_reference / "qe").glob("*TiO2_opt*xml.gz")
    frames = list(open_frames(path))
    assert frames[0].energy == pytest.approx(-203.0008899521580 * HARTREE, abs=1e-9)
    assert frames[-1].energy - frames[-2].energy == pytest.approx(-1.365e-3, abs=2e-5)
    assert len(frames[0]) == 6
    assert frames[0].calculation.dispersion == "D3(0)"


def test_the_silicon_runs_are_those_that_are_bundled(shared_reference):
    from mlmd.data import silicon_frames

    bundled = {f.calculation.source_name: f for f in silicon_frames()}
    paths = sorted((shared_reference / "si_qe").glob("*.xml.gz"))
    assert len(paths) == len(bundled) == 205
    for path in paths[::20]:
        (frame,) = open_frames(path)
        assert frame.energy == bundled[path.name].energy
        np.testing.assert_array_equal(frame.forces, bundled[path.name].forces)
        with gzip.open(path, "rt") as text:
            assert f"<prefix>{path.name[:4]}</prefix>" in text.read(5000)
