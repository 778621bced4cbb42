"""Makes vasprun.xml files of any size in the layout of VASP 6.3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

_BOX = 30.0  # Å
_POOL = 20  # different geometries, used again and again: making numbers is slow
_CYCLES = 10  # electronic steps in an ionic one
_ORBITALS = ("  s", " py", " pz", " px", "dxy", "dyz", "dz2", "dxz", "x2-y2")
_HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator>
  <i name="program" type="string">vasp </i>
  <i name="version" type="string">6.3.2  </i>
  <i name="subversion" type="string">27Jun22 (build May 01 2023 10:00:00) complex </i>
  <i name="platform" type="string">LinuxIFC </i>
  <i name="date" type="string">2023 05 02 </i>
  <i name="time" type="string">12:00:00 </i>
 </generator>
 <incar>
  <i type="string" name="PREC">normal</i>
  <i name="ENCUT">    400.00000000</i>
  <i type="int" name="IBRION">     0</i>
 </incar>
 <kpoints>
  <generation param="Gamma">
   <v type="int" name="divisions">       1        1        1 </v>
   <v name="usershift">      0.00000000       0.00000000       0.00000000 </v>
  </generation>
"""
_PARAMETERS = """ <parameters>
  <separator name="general" >
   <i type="string" name="SYSTEM">benchmark</i>
   <i type="logical" name="LCOMPAT"> F  </i>
  </separator>
  <separator name="electronic" >
   <i type="string" name="PREC">normal</i>
   <i name="ENMAX">    400.00000000</i>
   <i name="ENAUG">    644.90000000</i>
   <i name="EDIFF">      0.00001000</i>
   <i type="int" name="IALGO">    38</i>
   <i type="int" name="NBANDS">   240</i>
   <i name="NELECT">    {electrons:.8f}</i>
   <separator name="electronic smearing" >
    <i type="int" name="ISMEAR">     0</i>
    <i name="SIGMA">      0.05000000</i>
   </separator>
   <separator name="electronic spin" >
    <i type="int" name="ISPIN">     1</i>
    <i type="logical" name="LNONCOLLINEAR"> F  </i>
    <i type="logical" name="LSORBIT"> F  </i>
   </separator>
   <separator name="electronic exchange-correlation" >
    <i type="logical" name="LASPH"> F  </i>
   </separator>
   <separator name="electronic convergence" >
    <i type="int" name="NELM">    60</i>
    <i type="int" name="NELMIN">     2</i>
   </separator>
  </separator>
  <separator name="ionic" >
   <i type="int" name="NSW">  2000</i>
   <i type="int" name="IBRION">     0</i>
   <i type="int" name="ISIF">     2</i>
   <i name="PSTRESS">      0.00000000</i>
   <i name="POTIM">      1.00000000</i>
  </separator>
  <separator name="electronic exchange-correlation" >
   <i type="string" name="GGA">PE</i>
   <i type="logical" name="LUSE_VDW"> F  </i>
  </separator>
  <separator name="vdW DFT" >
   <i type="logical" name="LUSE_VDW"> F  </i>
  </separator>
 </parameters>
"""
_SCF = """  <scstep>
   <time name="dav">   31.72   31.74</time>
   <time name="total">   32.19   32.20</time>
   <energy>
    <i name="alphaZ">    117.79184427 </i>
    <i name="ewald">  -1525.97595329 </i>
    <i name="hartreedc">   -409.06768234 </i>
    <i name="XCdc">    -47.45226295 </i>
    <i name="eentropy">     -0.00003963 </i>
    <i name="bandstr">     20.67684976 </i>
    <i name="e_fr_energy">  -9000.45875643 </i>
    <i name="e_wo_entrp">  -9000.45879606 </i>
    <i name="e_0_energy">  -9000.45876964 </i>
   </energy>
  </scstep>
"""
_END = """  <varray name="stress" >
   <v>      10.00000000       1.00000000       0.00000000 </v>
   <v>       1.00000000      20.00000000       0.00000000 </v>
   <v>       0.00000000       0.00000000     -30.00000000 </v>
  </varray>
  <energy>
   <i name="e_fr_energy">  -9000.45875643 </i>
   <i name="e_wo_entrp">  -9000.45879606 </i>
   <i name="e_0_energy">  -9000.45876964 </i>
  </energy>
  <time name="totalsc">  250.11  250.12</time>
"""


@dataclass(frozen=True)
class Shape:
    """How large a file gets.

    Args:
        steps: ionic steps.
        atoms: silicon and oxygen, 1 to 2.
        bands: 0 leaves eigenvalues, DOS and projections out.
        k_points: in the list.
        dos_points: energies of the DOS (NEDOS).
    """

    steps: int
    atoms: int
    bands: int = 0
    k_points: int = 1
    dos_points: int = 0


def write_vasprun(path: Path, shape: Shape) -> None:
    """Write the file."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="ascii") as out:
        _write_head(out, shape)
        start = rng.uniform(size=(shape.atoms, 3))
        out.write(f' <structure name="initialpos" >\n{_structure(start, " ")} </structure>\n')
        pool = [
            f"  <structure>\n{_structure(start + rng.normal(0, 0.001, start.shape), '  ')}"
            f"  </structure>\n{_rows('forces', rng.normal(size=start.shape), '  ')}"
            for _ in range(min(_POOL, shape.steps))
        ]
        for step in range(shape.steps):
            out.write(f" <calculation>\n{_SCF * _CYCLES}{pool[step % len(pool)]}{_END}")
            if step == shape.steps - 1 and shape.bands:
                _write_states(out, shape, rng)
            out.write(" </calculation>\n")
        out.write(f' <structure name="finalpos" >\n{_structure(start, " ")} </structure>\n')
        out.write("</modeling>\n")


def _write_head(out: TextIO, shape: Shape) -> None:
    silicon = shape.atoms // 3
    counts = {"Si": silicon, "O": shape.atoms - silicon}
    points = np.random.default_rng(1).uniform(0, 0.5, (shape.k_points, 3))
    weights = "".join(f"   <v>{1 / shape.k_points:16.8f} </v>\n" for _ in points)
    out.write(_HEAD + _rows("kpointlist", points, "  "))
    out.write(f'  <varray name="weights" >\n{weights}  </varray>\n </kpoints>\n')
    out.write(_PARAMETERS.format(electrons=4 * counts["Si"] + 6 * counts["O"]))
    rows = "".join(
        f"    <rc><c>{s:2}</c><c>{t:4}</c></rc>\n" * n for t, (s, n) in enumerate(counts.items(), 1)
    )
    out.write(
        f" <atominfo>\n  <atoms>{shape.atoms:8} </atoms>\n  <types>       2 </types>\n"
        '  <array name="atoms" >\n   <dimension dim="1">ion</dimension>\n'
        '   <field type="string">element</field>\n   <field type="int">atomtype</field>\n'
        f"   <set>\n{rows}   </set>\n  </array>\n"
        '  <array name="atomtypes" >\n   <dimension dim="1">type</dimension>\n'
        '   <field type="int">atomspertype</field>\n   <field type="string">element</field>\n'
        "   <field>mass</field>\n   <field>valence</field>\n"
        '   <field type="string">pseudopotential</field>\n   <set>\n'
    )
    for (symbol, count), mass, valence in zip(counts.items(), (28.085, 16.0), (4, 6), strict=True):
        out.write(
            f"    <rc><c>{count:4}</c><c>{symbol:2}</c><c>{mass:16.8f}</c><c>{valence:16.8f}</c>"
            f"<c>PAW_PBE {symbol} 05Jan2001                     </c></rc>\n"
        )
    out.write("   </set>\n  </array>\n </atominfo>\n")


def _structure(fractions: np.ndarray, indent: str) -> str:
    basis = _rows("basis", np.eye(3) * _BOX, indent + "  ")
    reciprocal = _rows("rec_basis", np.eye(3) / _BOX, indent + "  ")
    volume = f'{indent}  <i name="volume">{_BOX**3:16.8f} </i>\n'
    crystal = f"{indent} <crystal>\n{basis}{volume}{reciprocal}{indent} </crystal>\n"
    return crystal + _rows("positions", fractions % 1.0, indent + " ")


def _rows(name: str, values: np.ndarray, indent: str) -> str:
    lines = "".join(
        f"{indent} <v>{x:16.8f} {y:16.8f} {z:16.8f} </v>\n" for x, y, z in values.tolist()
    )
    return f'{indent}<varray name="{name}" >\n{lines}{indent}</varray>\n'


def _write_states(out: TextIO, shape: Shape, rng: np.random.Generator) -> None:
    """Eigenvalues, total and partial DOS, and projections, nested as VASP nests them."""
    values = rng.normal(0, 5, shape.bands)
    bands = "".join(f"       <r>{e:10.4f} {float(e < 0):10.4f} </r>\n" for e in values.tolist())
    eigenvalues = "   <array>\n" + _head("band", "kpoint", "spin", fields=("eigene", "occ"))
    eigenvalues += '    <set>\n     <set comment="spin 1">\n'
    for k in range(shape.k_points):
        eigenvalues += f'      <set comment="kpoint {k + 1}">\n{bands}      </set>\n'
    eigenvalues += "     </set>\n    </set>\n   </array>\n"
    out.write(f"  <eigenvalues>\n{eigenvalues}  </eigenvalues>\n")
    _write_dos(out, shape, rng)
    out.write(f"  <projected>\n   <eigenvalues>\n{eigenvalues}   </eigenvalues>\n   <array>\n")
    out.write(_head("ion", "band", "kpoint", "spin", fields=_ORBITALS))
    out.write('    <set>\n     <set comment="spin1">\n')
    one = rng.uniform(0, 0.2, (shape.atoms, len(_ORBITALS))).tolist()
    ions = "".join(f"        <r>{''.join(f'{v:8.4f}' for v in row)} </r>\n" for row in one)
    for k in range(shape.k_points):
        out.write(f'      <set comment="kpoint {k + 1}">\n')
        for band in range(shape.bands):
            out.write(f'       <set comment="band {band + 1}">\n{ions}       </set>\n')
        out.write("      </set>\n")
    out.write("     </set>\n    </set>\n   </array>\n  </projected>\n")


def _write_dos(out: TextIO, shape: Shape, rng: np.random.Generator) -> None:
    energies = np.linspace(-30, 20, shape.dos_points).tolist()
    out.write('  <dos>\n   <i name="efermi">      4.95393993 </i>\n   <total>\n    <array>\n')
    out.write(_head("gridpoints", "spin", fields=("energy", "total", "integrated")))
    total = "".join(f"       <r>{e:10.4f} {1.5:10.4f} {7.5:10.4f} </r>\n" for e in energies)
    out.write(f'     <set>\n      <set comment="spin 1">\n{total}      </set>\n     </set>\n')
    out.write("    </array>\n   </total>\n   <partial>\n    <array>\n")
    out.write(_head("gridpoints", "spin", "ion", fields=("energy", *_ORBITALS)))
    shares = "".join(f" {v:10.4f}" for v in rng.uniform(0, 1, len(_ORBITALS)).tolist())
    partial = "".join(f"        <r>{e:10.4f}{shares} </r>\n" for e in energies)
    out.write("     <set>\n")
    for ion in range(shape.atoms):
        out.write(f'      <set comment="ion {ion + 1}">\n       <set comment="spin 1">\n')
        out.write(f"{partial}       </set>\n      </set>\n")
    out.write("     </set>\n    </array>\n   </partial>\n  </dos>\n")


def _head(*dimensions: str, fields: tuple[str, ...]) -> str:
    lines = [f'    <dimension dim="{i}">{name}</dimension>' for i, name in enumerate(dimensions, 1)]
    lines += [f"    <field>{name}</field>" for name in fields]
    return "\n".join(lines) + "\n"
