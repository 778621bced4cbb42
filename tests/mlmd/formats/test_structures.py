"""Structure files: seven formats there and back, what other programs write, and what is wrong."""

import io

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mlmd.errors import FormatError
from mlmd.formats import StructureFormat, read_structures, write_structure
from mlmd.formats.structures import detect_structure
from mlmd.structure import closest_pair
from tests.mlmd.formats.vasprun_files import vasprun


def crystal() -> Atoms:
    """A skewed cell of two elements, in the order that every format keeps."""
    atoms = bulk("NaCl", "rocksalt", a=5.64).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    return atoms[np.argsort(atoms.numbers, kind="stable")]


def saved(tmp_path, text, name="upload"):
    path = tmp_path / name
    path.write_text(text)
    return path


def distances(atoms):
    return np.sort(atoms.get_all_distances(mic=True).ravel())


@pytest.mark.parametrize("format", list(StructureFormat))
def test_a_crystal_survives_every_format(format, tmp_path):
    atoms = crystal()
    stream = io.StringIO()
    write_structure(atoms, stream, format)
    path = saved(tmp_path, stream.getvalue())
    (again,) = read_structures(path)
    assert sorted(again.numbers) == sorted(atoms.numbers)
    if format is StructureFormat.XYZ:
        np.testing.assert_allclose(again.positions, atoms.positions, atol=1e-7)
        return
    assert again.pbc.all()
    assert again.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-4)
    np.testing.assert_allclose(distances(again), distances(atoms), atol=2e-3)


@pytest.mark.parametrize("format", list(StructureFormat))
def test_a_molecule_can_be_written_in_every_format(format, tmp_path):
    water = molecule("H2O")
    stream = io.StringIO()
    write_structure(water, stream, format)
    (again,) = read_structures(saved(tmp_path, stream.getvalue()))
    np.testing.assert_allclose(
        np.sort(again.get_all_distances().ravel()),
        np.sort(water.get_all_distances().ravel()),
        atol=1e-4,
    )


@pytest.mark.parametrize("format", ["poscar", "cif", "extxyz", "lammps-data", "xsf", "espresso-in"])
def test_each_format_is_recognised_by_its_content(format):
    stream = io.StringIO()
    write_structure(crystal(), stream, format)
    found = detect_structure(stream.getvalue().encode())
    assert found == (None if format == "extxyz" else format)


def test_files_of_labelled_frames_are_structures_too(tmp_path):
    structures = read_structures(saved(tmp_path, vasprun(steps=3)))
    assert len(structures) == 3
    assert structures[0].get_potential_energy() == -10.0


POSCAR = """comment
{scale}
4 0 0
0 5 0
0 0 6
{symbols}
{counts}
{mode}
0 0 0 {flags}
0.5 0.5 0.5
"""


def poscar(scale="1.0", symbols="Si O", counts="1 1", mode="Direct", flags=""):
    return POSCAR.format(scale=scale, symbols=symbols, counts=counts, mode=mode, flags=flags)


@pytest.mark.parametrize(
    ("text", "lengths", "last"),
    [
        (poscar(), (4, 5, 6), (2, 2.5, 3)),
        (poscar(scale="2"), (8, 10, 12), (4, 5, 6)),
        (poscar(scale="-960"), (8, 10, 12), (4, 5, 6)),
        (poscar(scale="2 1 1"), (8, 5, 6), (4, 2.5, 3)),
        (poscar(scale="2", mode="Cartesian"), (8, 10, 12), (1, 1, 1)),
        (poscar(mode="Selective\nDirect", flags="F F T"), (4, 5, 6), (2, 2.5, 3)),
        (poscar(symbols="Si_pv O/abc"), (4, 5, 6), (2, 2.5, 3)),
        (
            poscar(symbols="").replace("comment", "Si O").replace("\n\n1 1", "\n1 1"),
            (4, 5, 6),
            (2, 2.5, 3),
        ),
    ],
)
def test_poscar_in_all_its_dialects(tmp_path, text, lengths, last):
    (atoms,) = read_structures(saved(tmp_path, text))
    assert atoms.get_chemical_symbols() == ["Si", "O"]
    np.testing.assert_allclose(atoms.cell.lengths(), lengths)
    np.testing.assert_allclose(atoms.positions[1], last)
    assert len(atoms.constraints) == ("F F T" in text)


LAMMPS = """LAMMPS data file

2 atoms
2 atom types
-1.0 4.0 xlo xhi
0 5 ylo yhi
0 6 zlo zhi
0.5 0 0 xy xz yz

Masses

1 28.085
2 15.999 # O

Atoms{hint}

{rows}
"""


@pytest.mark.parametrize(
    ("hint", "rows"),
    [
        ("", "2 2 1 1 1\n1 1 0 0 0"),
        (" # atomic", "2 2 1 1 1 0 0 1\n1 1 0 0 0 0 0 0"),
        (" # charge", "2 2 -1.0 1 1 1\n1 1 2.0 0 0 0"),
        ("", "2 2 -1.0 1 1 1\n1 1 2.0 0 0 0"),
        ("", "2 7 2 1 1 1\n1 7 1 0 0 0"),
        ("", "2 7 2 -1.0 1 1 1\n1 7 1 2.0 0 0 0"),
        (" # full", "2 7 2 -1.0 1 1 1 0 0 0\n1 7 1 2.0 0 0 0 0 0 0"),
    ],
)
def test_lammps_data_in_the_common_atom_styles(tmp_path, hint, rows):
    (atoms,) = read_structures(saved(tmp_path, LAMMPS.format(hint=hint, rows=rows)))
    assert atoms.get_chemical_symbols() == ["Si", "O"]
    np.testing.assert_allclose(atoms.positions, [[1, 0, 0], [2, 1, 1]])
    np.testing.assert_allclose(atoms.cell.array, [[5, 0, 0], [0.5, 5, 0], [0, 0, 6]])


def test_the_real_glass_is_read(shared_reference):
    path = shared_reference / "silica" / "bks_3000.final.data"
    text = path.read_text()
    if "Masses" in text:
        (atoms,) = read_structures(path)
        assert len(atoms) == 3000
    else:
        with pytest.raises(FormatError, match="Masses"):
            read_structures(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (poscar(symbols="Qq O"), "“Qq”"),
        (poscar(counts="1 99999999"), "100000000 atoms in 10 lines"),
        (poscar(counts="1 2"), "2 lines"),
        (poscar().replace("0.5 0.5 0.5", "0.5 half 0.5"), "half"),
        (poscar().replace("0.5 0.5 0.5", "nan 0.5 0.5"), "not a finite number"),
        (poscar().replace("0 0 6", "0 5 0"), "no volume"),
        (poscar(scale="0"), "line 2"),
        (poscar(symbols="Si"), "1 elements for 2"),
        (LAMMPS.format(hint="", rows="1 1 a 0 0"), "atom style"),
        (LAMMPS.format(hint="", rows="1 9 0 0 0"), "atom type 9"),
        (LAMMPS.format(hint="", rows="").replace("xlo xhi", ""), "xlo"),
        ("data_x\n_cell_length_a oops\n", "no atoms"),
        ("&control\n/\n&system\n nat=1\n/\n", "espresso-in"),
        ("CRYSTAL\nPRIMVEC\n1 0\n", "xsf"),
        ("hello\nworld\n", "hello"),
        ("<html></html>", "web page"),
    ],
)
def test_wrong_files_are_named_for_what_is_wrong(tmp_path, text, says):
    with pytest.raises(FormatError) as caught:
        read_structures(saved(tmp_path, text), name="../<b>構造</b>/POSCAR")
    assert says in str(caught.value)
    assert caught.value.where.startswith("POSCAR")


def test_a_hundred_thousand_atoms_pass_through(tmp_path):
    atoms = bulk("Si", cubic=True).repeat((24, 23, 23))
    assert len(atoms) > 100_000
    for format in ("poscar", "lammps-data", "extxyz"):
        stream = io.StringIO()
        write_structure(atoms, stream, format)
        (again,) = read_structures(saved(tmp_path, stream.getvalue()))
        assert len(again) == len(atoms)
    pair = closest_pair(again.positions, again.cell.array, again.pbc)
    assert pair.distance == pytest.approx(5.43 * 3**0.5 / 4, abs=1e-6)


def test_ase_reads_what_we_write(tmp_path):
    atoms = crystal()
    for format in ("poscar", "cif", "xsf", "espresso-in"):
        stream = io.StringIO()
        write_structure(atoms, stream, format)
        names = {"poscar": "vasp"}
        path = saved(tmp_path, stream.getvalue())
        assert len(ase.io.read(path, format=names.get(format, format))) == len(atoms)
