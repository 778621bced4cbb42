"""Numbers of crystals against formulas, against other programs, and against direct computation."""

import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.eos import EquationOfState
from ase.units import GPa

from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.crystals import Crystal, TeacherCurve
from mlmd.validation.defects import FORMATION, SCHOTTKY, UNRELAXED, check_vacancy
from mlmd.validation.elasticity import BULK, STABILITY, check_elastic, elastic_tensor, hill_moduli
from mlmd.validation.equation_of_state import fit_birch_murnaghan
from mlmd.validation.lattice import FIT, LATTICE_LABELS, MINIMUM, check_lattice, check_volume
from mlmd.validation.phonons import HIGHEST, LOWEST, check_phonons, thermal_properties
from mlmd.validation.report import SeriesKind
from mlmd.validation.settings import ValidationSettings
from mlmd.validation.subject import Subject, over_crystals
from mlmd.validation.surfaces import check_surfaces
from mlmd.validation.symmetry import standard_cell
from mlmd.validation.teacher_cells import SLAB, VACANCY
from tests.mlmd.validation.calculators import Morse, PairCalculator, Springs, frame_of

A, STIFFNESS = 3.6, 2.0  # Å, eV/Å²
COPPER = 63.546
EQUILIBRIUM = 12.09  # Å³ per atom of the Morse crystal


def springs(**settings):
    return Subject(Springs(STIFFNESS, A / np.sqrt(2)), ("Cu",), 4.0, ValidationSettings(**settings))


def only(subject):
    (crystal,) = subject.found.crystals
    return subject.relaxed(crystal)


@pytest.fixture(scope="module")
def copper():
    return Subject(EMT(), ("Cu",), 6.0)


def value(findings, label):
    return next(item for item in findings.values if item.label == label)


def test_the_equation_of_state_is_that_of_birch_and_murnaghan():
    v0, b0, derivative = 20.0, 100 / EV_PER_A3_IN_GPA, 4.7
    volumes = np.linspace(17, 23, 9)
    strain = (v0 / volumes) ** (2 / 3) - 1
    energies = -5 + 9 * v0 * b0 / 16 * (strain**3 * derivative + strain**2 * (2 - 4 * strain))
    fit = fit_birch_murnaghan(volumes, energies)
    assert fit.volume == pytest.approx(v0)
    assert fit.bulk_modulus == pytest.approx(100.0)
    assert fit.pressure_derivative == pytest.approx(derivative)
    assert fit.energy == pytest.approx(-5)


def test_emt_copper_agrees_with_ase(copper):
    crystal = only(copper)
    lattice, volume = check_lattice(copper, crystal), check_volume(copper, crystal)
    energies, volumes = [], []
    for a in np.linspace(3.5, 3.7, 11):
        atoms = bulk("Cu", a=a)
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
        volumes.append(atoms.get_volume())
    v0, _, b0 = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    found = value(lattice, LATTICE_LABELS["a"]).value
    assert found == pytest.approx((4 * v0) ** (1 / 3), rel=1e-4)
    assert found == pytest.approx(3.5898, abs=1e-3)  # lattice constant of ASE's EMT
    assert value(volume, MINIMUM).value == pytest.approx(v0, rel=1e-3)
    assert volume.values[1].value == pytest.approx(b0 / GPa, rel=0.02)


def test_the_teachers_curve_stands_beside_the_potentials():
    calculator = Morse()
    frames = [
        frame_of(bulk("Cu", a=a, cubic=True), calculator, shift=-7.0)
        for a in np.linspace(3.55, 3.75, 7)
    ]
    subject = Subject(Morse(), ("Cu",), 6.5, frames=frames)
    crystal = only(subject)
    lattice, volume = check_lattice(subject, crystal), check_volume(subject, crystal)
    a = value(lattice, LATTICE_LABELS["a"])
    assert a.reference_source == FIT
    assert a.value == pytest.approx(a.reference, rel=1e-3)
    v0, b0 = volume.values[:2]
    assert v0.value == pytest.approx(v0.reference, rel=3e-3)
    assert b0.value == pytest.approx(b0.reference, rel=0.05)
    line, points = volume.plots[0].series
    assert points.kind == SeriesKind.POINTS
    assert np.allclose(points.y, np.interp(points.x, line.x, line.y), atol=5e-3)


def test_an_energy_that_falls_again_is_said():
    class Falling(Morse):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            stretch = self.atoms.get_volume() / len(self.atoms) / EQUILIBRIUM
            if stretch > 1.1:
                self.results["energy"] -= 2.0 * (stretch - 1.1) * len(self.atoms)

    subject = Subject(Falling(), ("Cu",), 6.5)
    findings = check_volume(subject, only(subject))
    assert any("does not rise steadily" in note for note in findings.notes)


def test_a_curve_without_a_minimum_is_kept_and_fails_the_check():
    class Sinking(Morse):
        """Its energy falls with the volume, which its stress knows nothing of."""

        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            if self.atoms.cell.rank == 3:
                self.results["energy"] += 2.0 * self.atoms.get_volume()

    subject = Subject(Sinking(), ("Cu",), 6.5)
    findings = over_crystals(subject, check_volume)
    assert "no minimum between" in findings.failure
    assert findings.values[0].value is None
    assert len(findings.plots[0].series[0].x) == subject.settings.volume_points


def test_springs_have_the_elastic_constants_of_born_and_huang():
    # fcc with nearest neighbours only: C11 = 2k/a, C12 = C44 = k/a
    unit = STIFFNESS / A * EV_PER_A3_IN_GPA
    subject = springs()
    tensor = elastic_tensor(subject, only(subject))
    expected = np.diag([2.0, 2, 2, 1, 1, 1]) * unit
    expected[:3, :3] += (1 - np.eye(3)) * unit
    assert np.allclose(tensor, expected, rtol=2e-3, atol=0.1)
    findings = check_elastic(subject, only(subject))
    assert value(findings, BULK).value == pytest.approx(4 / 3 * unit, rel=2e-3)
    assert value(findings, STABILITY).value == pytest.approx(unit, rel=2e-3)
    assert not findings.notes


def test_hexagonal_constants_agree_with_slopes_of_the_energy():
    titanium = Crystal(standard_cell(bulk("Ti", a=2.9, c=4.7)), "test")
    subject = Subject(Morse(), ("Ti",), 6.5)
    crystal = subject.relaxed(titanium)
    tensor = elastic_tensor(subject, crystal)
    atoms = crystal.cell.primitive

    def energy(strain):
        copy = atoms.copy()
        copy.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return subject.energy(copy) / atoms.get_volume() * EV_PER_A3_IN_GPA

    e33 = np.zeros((3, 3))
    e33[2, 2] = h = 2e-3
    c33 = (energy(e33) + energy(-e33) - 2 * energy(0 * e33)) / h**2
    assert tensor[2, 2] == pytest.approx(c33, rel=5e-3)
    shear = np.zeros((3, 3))
    shear[0, 2] = shear[2, 0] = h / 2
    c55 = (energy(shear) + energy(-shear) - 2 * energy(0 * shear)) / h**2
    assert tensor[4, 4] == pytest.approx(c55, rel=5e-3)
    assert tensor[4, 4] == pytest.approx(tensor[3, 3])
    assert tensor[5, 5] == pytest.approx((tensor[0, 0] - tensor[0, 1]) / 2)


def test_a_crystal_unstable_against_strain_is_said():
    class Shearing(Springs):
        """Springs to the corners of a simple cube, and none that would hold it upright."""

    lattice = Crystal(standard_cell(bulk("Po", "sc", a=3.3)), "test")
    subject = Subject(Shearing(STIFFNESS, 3.3), ("Po",), 4.0)
    findings = check_elastic(subject, subject.relaxed(lattice))
    assert value(findings, STABILITY).value < 0.5
    assert value(findings, "C11").value > 50


def test_hills_moduli_of_an_isotropic_solid():
    bulk_modulus, shear = 100.0, 40.0
    lame = bulk_modulus - 2 / 3 * shear
    tensor = np.diag([2 * shear] * 3 + [shear] * 3)
    tensor[:3, :3] += lame
    assert hill_moduli(tensor) == (pytest.approx(bulk_modulus), pytest.approx(shear))


def test_springs_have_the_phonons_of_the_textbook():
    # fcc with nearest neighbours only; at X: mω² = 8k longitudinal, 4k transversal
    subject = springs(supercell=7.0)
    findings = check_phonons(subject, only(subject))
    unit = np.sqrt(STIFFNESS * 1.602176634e-19 / 1e-20 / (COPPER * 1.66053906660e-27))
    top = np.sqrt(8) * unit / (2 * np.pi) / 1e12
    assert value(findings, HIGHEST).value == pytest.approx(top, rel=2e-3)
    assert abs(value(findings, LOWEST).value) < 1e-3
    bands, density = findings.plots
    assert [mark.label for mark in bands.marks] == ["Γ", "X", "U|K", "Γ", "L", "W", "X"]
    at_x = bands.marks[1].x
    found = sorted(
        {round(series.y[-1], 2) for series in bands.series if abs(series.x[-1] - at_x) < 1e-6}
    )
    assert found == pytest.approx([round(top / np.sqrt(2), 2), round(top, 2)], abs=0.02)
    states = np.trapezoid(density.series[0].y, density.series[0].x)
    assert states == pytest.approx(3.0, rel=0.02)


def test_an_unstable_crystal_has_imaginary_modes():
    lattice = Crystal(standard_cell(bulk("Cu", "bcc", a=2.87)), "test")
    subject = Subject(Morse(), ("Cu",), 6.5, ValidationSettings(supercell=8.0))
    findings = check_phonons(subject, subject.relaxed(lattice))
    assert value(findings, LOWEST).value < -0.5
    assert any("imaginary modes" in note for note in findings.notes)
    assert len(findings.values) == 2


def test_heat_capacity_goes_to_the_classical_limit():
    frequencies, weights = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), np.array([1, 1e6])
    heat, entropy, zero = thermal_properties(frequencies, weights, 5000.0)
    assert heat == pytest.approx(3 * 8.314, rel=1e-3)
    assert zero == pytest.approx(0.5 * 6 * 4.1357, rel=1e-3)
    assert entropy > heat


def test_the_vacancy_of_emt_copper_agrees_with_a_direct_computation(copper):
    findings = check_vacancy(copper, only(copper))
    a = (4 * only(copper).volume) ** (1 / 3)
    whole = bulk("Cu", a=a, cubic=True).repeat(3)
    whole.calc = EMT()
    holed = whole[1:]
    holed.calc = EMT()
    direct = holed.get_potential_energy() - 107 / 108 * whole.get_potential_energy()
    assert value(findings, UNRELAXED).value == pytest.approx(direct, abs=1e-6)
    assert 1.0 < value(findings, FORMATION).value < direct  # experiment: 1.28 eV


def test_a_vacancy_of_the_teacher_is_computed_again_in_its_cell():
    whole = bulk("Cu", a=3.643, cubic=True).repeat(2)
    holed, crowded = whole[1:], whole.copy()
    crowded.append("Cu")
    crowded.positions[-1] = 3.643 / 2, 0, 0
    frames = [frame_of(atoms, Morse(), shift=-5.0) for atoms in (whole, holed, crowded)]
    subject = Subject(Morse(), ("Cu",), 6.5, frames=frames)
    found = value(check_vacancy(subject, only(subject)), VACANCY)
    direct = subject.energy(holed) - 31 / 32 * subject.energy(whole)
    assert found.value == pytest.approx(direct, abs=1e-9)
    assert found.reference == pytest.approx(direct, abs=1e-9)
    # of pairs alone, unrelaxed: the cohesive energy
    assert direct == pytest.approx(-subject.energy(whole) / 32, rel=1e-3)


def test_slabs_of_the_teacher_are_computed_again_by_kind():
    a = 3.643
    crystal = frame_of(bulk("Cu", a=a), Morse(), shift=-5.0)
    slabs = []
    for stretch in (1.0, 1.01):
        slab = fcc111("Cu", (1, 1, 6), a=a, vacuum=6.0)
        slab.positions[:, 2] *= stretch
        slab.pbc = True
        slabs.append(frame_of(slab, Morse(), "surface (111)", shift=-5.0))
    subject = Subject(Morse(), ("Cu",), 6.5, frames=[crystal, *slabs])
    (found,) = (v for v in check_surfaces(subject, only(subject)).values if v.label == SLAB)
    assert found.subject == "Cu (Fm-3m), surface (111)"
    area = a**2 * np.sqrt(3) / 4
    lowest = min(frame.energy - 6 * crystal.energy for frame in slabs)
    assert found.reference == pytest.approx(lowest / (2 * area) * EV_PER_A3_IN_GPA / 10)
    assert found.value == pytest.approx(found.reference)


def test_schottky_energy_of_a_compound_needs_no_chemical_potential():
    class Contact(PairCalculator):
        """−1 eV for each pair of unlike neighbours."""

        cutoff = 3.2

        def pair(self, r):
            return np.where(r < 3.0, -1.0, 0.0), np.zeros_like(r)

    salt = Crystal(standard_cell(bulk("NaCl", "rocksalt", a=5.6)), "test")
    subject = Subject(Contact(), ("Na", "Cl"), 3.2)
    findings = check_vacancy(subject, subject.relaxed(salt))
    # each vacancy breaks six bonds, and each unit put back makes six
    assert value(findings, SCHOTTKY).value == pytest.approx(6.0, abs=1e-6)


def test_surfaces_of_emt_copper_agree_with_ases_slabs(copper):
    crystal = only(copper)
    findings = check_surfaces(copper, crystal)
    assert [item.label[-5:] for item in findings.values] == ["(100)", "(110)", "(111)"]
    slab = fcc111("Cu", (1, 1, 7), a=(4 * crystal.volume) ** (1 / 3), vacuum=8.0)
    slab.pbc = True
    slab.calc = EMT()
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    direct = (slab.get_potential_energy() - 7 * crystal.energy) / (2 * area)
    plane, _, sharp, _, _ = findings.tables[0].rows[2]
    assert plane == "(111)"
    assert sharp == pytest.approx(direct * EV_PER_A3_IN_GPA / 10, rel=5e-3)


def test_the_cheapest_cut_of_diamond_breaks_one_bond_of_each_atom():
    class Bonds(PairCalculator):
        cutoff = 2.6

        def pair(self, r):
            return np.full_like(r, -1.0), np.zeros_like(r)

    silicon = Crystal(standard_cell(bulk("Si", a=5.43)), "test")
    subject = Subject(Bonds(), ("Si",), 2.6)
    findings = check_surfaces(subject, subject.relaxed(silicon))
    row = next(row for row in findings.tables[0].rows if row[0] == "(111)")
    # (111): one broken bond of 1 eV for each √3/4 a², shared by two surfaces
    expected = 0.5 / (np.sqrt(3) / 4 * 5.43**2) * EV_PER_A3_IN_GPA / 10
    assert row[2] == pytest.approx(expected, rel=1e-3)


def test_a_crystal_that_fails_leaves_a_note_and_the_others_their_numbers():
    class Collapsing(Springs):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            if self.atoms.numbers[0] == 47:
                self.results["energy"] = float("nan")

    subject = Subject(Collapsing(STIFFNESS, A / np.sqrt(2)), ("Cu", "Ag"), 4.0)
    frames = [frame_of(bulk(e, a=A), Springs(STIFFNESS, A / np.sqrt(2))) for e in ("Cu", "Ag")]
    subject.frames = frames
    findings = over_crystals(subject, check_lattice)
    assert {item.subject for item in findings.values} == {"Cu (Fm-3m)"}
    assert any("Ag (Fm-3m)" in note for note in findings.notes)


def test_a_curve_of_few_volumes_has_no_fit():
    from mlmd.validation.lattice import fit_teacher

    cell = standard_cell(bulk("Cu"))
    assert fit_teacher(TeacherCurve(np.array([11.0, 12, 13]), np.zeros(3), cell)) is None
    assert fit_teacher(None) is None
