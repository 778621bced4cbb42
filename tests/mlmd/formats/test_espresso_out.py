"""Text output of pw.x: results go with the geometry they belong to, whatever is printed next."""

import csv

import numpy as np
import pytest

from mlmd.formats import open_frames
from mlmd.units import BOHR, RYDBERG

HEAD = """
     Program PWSCF v.{version} starts on  2Feb2021 at 13:38:42

     bravais-lattice index     =            0
     lattice parameter (alat)  =      10.0000  a.u.
     number of electrons       =         {electrons}
     kinetic-energy cutoff     =      20.0000  Ry
     Exchange-correlation= SLA  PW   PBX  PBC
     celldm(1)=  10.000000  celldm(2)=   0.000000  celldm(3)=   0.000000
     crystal axes: (cart. coord. in units of alat)
               a(1) = (   1.000000   0.000000   0.000000 )
               a(2) = (   0.000000   1.000000   0.000000 )
               a(3) = (   0.000000   0.000000   1.000000 )

     PseudoPot. # 1 for Si read from file:
     /home/someone/pseudo/Si.pbe.UPF
     atomic species   valence    mass     pseudopotential
        Si             4.00    28.08550     Si( 1.00)

   Cartesian axes

     site n.     atom                  positions (alat units)
         1           Si  tau(   1) = (   0.0000000   0.0000000   0.0000000  )
         2           Si  tau(   2) = (   0.2500000   0.2500000   0.2500000  )

     number of k points=    10  gaussian smearing, width (Ry)=  0.0200
"""
CYCLE = "\n     Self-consistent Calculation\n     total energy              =  99.0 Ry\n"
RESULT = """
!    total energy              =     {energy} Ry
     smearing contrib. (-TS)   =      -0.02000000 Ry

     convergence has been achieved in   5 iterations

     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     {force}    0.00000000    0.00000000
     atom    2 type  1   force =    -0.10000000    0.00000000    0.00000000
     The non-local contrib.  to forces
     atom    1 type  1   force =     7.00000000    7.00000000    7.00000000
     atom    2 type  1   force =     7.00000000    7.00000000    7.00000000

          total   stress  (Ry/bohr**3)                   (kbar)     P=      217.56
   0.00100000   0.00000000   0.00000000          147.11        0.00        0.00
   0.00000000   0.00200000   0.00000000            0.00      294.21        0.00
   0.00000000   0.00000000  -0.00300000            0.00        0.00     -441.32
"""
DONE = "\n     JOB DONE.\n"


def result(energy, force="0.10000000"):
    return CYCLE + RESULT.format(energy=energy, force=force)


def positions(z, unit="alat"):
    return f"\nATOMIC_POSITIONS ({unit})\nSi 0.0 0.0 0.0 0 0 1\nSi 0.25 0.25 {z}\n"


def head(version="7.2", electrons="8.00"):
    return HEAD.format(version=version, electrons=electrons)


@pytest.fixture
def read(tmp_path):
    def _read(text: str):
        path = tmp_path / "pw.out"
        path.write_text(text)
        reader = open_frames(path)
        assert reader.format == "espresso-out"
        frames = list(reader)
        return frames, reader.issues

    return _read


def test_a_run_is_read_with_its_units_and_signs(read):
    (frame,), issues = read(head() + result(-30.0) + DONE)
    assert issues == []
    np.testing.assert_allclose(frame.positions[1], np.full(3, 2.5) * BOHR)
    np.testing.assert_allclose(frame.cell, np.eye(3) * 10 * BOHR)
    assert frame.energy == pytest.approx(-30 * RYDBERG)
    assert frame.energy_sigma0 == pytest.approx((-30 + 0.01) * RYDBERG)
    np.testing.assert_allclose(frame.forces[:, 0], np.array([0.1, -0.1]) * RYDBERG / BOHR)
    np.testing.assert_allclose(
        np.diag(frame.stress), -np.array([0.001, 0.002, -0.003]) * RYDBERG / BOHR**3
    )
    assert frame.scf_converged is True
    calculation = frame.calculation
    assert (calculation.code, calculation.version, calculation.functional) == (
        "espresso",
        "7.2",
        "PBE",
    )
    assert calculation.cutoff_energy == pytest.approx(20 * RYDBERG)
    assert calculation.pseudopotentials == {"Si": "Si.pbe.UPF"}
    assert calculation.smearing == "gaussian 0.2721 eV"


def test_the_next_geometry_is_printed_after_the_results_of_this_one(read):
    text = head() + result(-1.0) + positions(0.3) + result(-2.0) + positions(0.4)
    frames, _ = read(text + result(-3.0) + DONE)
    assert [round(f.energy / RYDBERG, 6) for f in frames] == [-1, -2, -3]
    assert [f.positions[1, 2] / BOHR for f in frames] == pytest.approx([2.5, 3.0, 4.0])
    assert [f.fixed is not None for f in frames] == [False, True, True]
    assert frames[1].fixed.tolist() == [[True, True, False], [False] * 3]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("bohr", 0.3 * BOHR), ("angstrom", 0.3), ("crystal", 3.6 * BOHR), ("alat", 3.0 * BOHR)],
)
def test_units_of_cell_and_positions(read, unit, expected):
    cell = "\nCELL_PARAMETERS (alat= 10.0)\n1.2 0 0\n0 1.2 0\n0 0 1.2\n"
    frames, _ = read(head() + result(-1.0) + cell + positions(0.3, unit) + result(-2.0) + DONE)
    assert frames[1].positions[1, 2] == pytest.approx(expected)
    assert frames[1].cell[0, 0] == pytest.approx(12 * BOHR)
    assert frames[0].cell[0, 0] == pytest.approx(10 * BOHR)


def test_the_final_run_of_a_cell_relaxation_is_flagged(read):
    axes = head()[head().index("     crystal axes") : head().index("     PseudoPot")]
    sites = head()[head().index("     site n.") :]
    end = positions(0.3) + "\n     A final scf calculation at the relaxed structure.\n"
    frames, issues = read(head() + result(-1.0) + end + axes + sites + result(-1.1) + DONE)
    assert [f.flags for f in frames] == [(), ("new-basis",)]
    assert "final cell" in str(issues[0])


def test_exact_exchange_gives_one_result_after_its_outer_loops(read):
    loop = "\n!    total energy = -1.0 Ry\n     EXX: now go back\n!!   total energy = -1.5 Ry\n"
    frames, _ = read(head() + "     EXX-fraction = 0.25\n" + CYCLE + loop + DONE)
    assert [f.energy for f in frames] == pytest.approx([-1.5 * RYDBERG])


def test_an_energy_without_a_geometry_of_its_own_is_left_out(read):
    bare = "\n!    total energy = {} Ry\n"
    frames, issues = read(head() + CYCLE + bare.format(-1.0) + CYCLE + bare.format(-2.0) + DONE)
    assert [f.energy for f in frames] == pytest.approx([-RYDBERG])
    assert any("geometry of its own" in str(i) for i in issues)


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (CYCLE, 2),
        (result(-3.0).split("Forces acting")[0], 2),
        (result(-3.0).split("     atom    2")[0], 2),
        (result(-3.0).split("     The non-local")[0], 3),
    ],
)
def test_a_cut_output_keeps_its_complete_steps(read, end, kept):
    text = head() + result(-1.0) + positions(0.3) + result(-2.0) + positions(0.4) + end
    frames, issues = read(text)
    assert len(frames) == kept
    assert bool(issues) is (kept == 2)


def test_stars_cost_their_step_only(read):
    text = head() + result(-1.0, "***********") + positions(0.3) + result(-2.0) + DONE
    frames, issues = read(text)
    assert [round(f.energy / RYDBERG) for f in frames] == [-2]
    assert "***" in str(issues[0])


def test_charge_follows_from_valence_and_electrons(read):
    (frame,), _ = read(head(electrons="7.00") + result(-1.0) + DONE)
    assert frame.calculation.charge == 1.0


def test_two_runs_in_one_file_are_two_calculations(read):
    frames, _ = read(head("6.7") + result(-1.0) + DONE + head("7.4") + result(-2.0) + DONE)
    assert [f.calculation.version for f in frames] == ["6.7", "7.4"]


# Where the number of frames isn't the number of energies: outer loops of exact exchange, and
# a program that moves atoms silently.
FEWER = {"pbe0-si444": 1, "ncpp-gamma-restart-2": 1, "all_currents_2pt": 1}


def test_every_real_output_gives_its_frames(shared_reference):
    folder = shared_reference / "qe"
    with (folder / "MANIFEST.tsv").open() as text:
        rows = [r for r in csv.DictReader(text, delimiter="\t") if r["kind"] == "pwout"]
    assert len(rows) == 39
    for row in rows:
        reader = open_frames(folder / f"{row['file']}.gz")
        frames = list(reader)
        fewer = next((n for name, n in FEWER.items() if name in row["file"]), None)
        expected = int(row["n_energy"]) if fewer is None else fewer
        assert len(frames) == expected, row["file"]
        assert sum(f.forces is not None for f in frames) == int(row["n_forces"]), row["file"]
        assert sum(f.stress is not None for f in frames) == int(row["n_stress"]), row["file"]
        assert frames or reader.issues
        if frames:
            assert len(frames[0]) == int(row["natoms"])


def test_a_real_trajectory_obeys_newton(shared_reference):
    """Accelerations follow the forces of the same frame; those of the next fit worse."""
    (path,) = (shared_reference / "qe").glob("*pw_md*wfc_extrap2*.out.gz")
    frames = list(open_frames(path))
    positions = np.array([f.positions for f in frames])
    forces = np.array([f.forces for f in frames])
    acceleration = (positions[2:] - 2 * positions[1:-1] + positions[:-2]).ravel()

    def mismatch(force):
        slope = acceleration @ force / (force @ force)
        return np.linalg.norm(acceleration - slope * force) / np.linalg.norm(acceleration)

    right = mismatch(forces[1:-1].ravel())
    assert right < 1e-4
    assert mismatch(forces[2:].ravel()) > 100 * right


def test_the_stress_of_a_real_relaxation_is_the_slope_of_its_energy(shared_reference):
    (path,) = (shared_reference / "qe").glob("*vc-relax5*.out.gz")
    a, b = list(open_frames(path))[:2]
    strain = np.linalg.solve(a.cell, b.cell) - np.eye(3)
    strain = (strain + strain.T) / 2
    volume = (abs(np.linalg.det(a.cell)) + abs(np.linalg.det(b.cell))) / 2
    change = volume * float(np.sum((a.stress + b.stress) / 2 * strain))
    # Compression under pressure costs energy: the sign decides, the rest is second order.
    assert change > 0
    assert b.energy > a.energy
