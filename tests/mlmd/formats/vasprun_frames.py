"""vasprun.xml with the frames that a test wants, one ionic step each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike

from mlmd.frame import Frame

KBAR = 6.241509074e-4  # eV/Å³
HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator><i name="program" type="string">vasp </i>
  <i name="version" type="string">6.3.0  </i></generator>
 <incar></incar>
 <parameters><separator name="electronic" >
  <i name="ENMAX">    400.00000000</i><i type="int" name="NELM">    60</i>
  <i name="NELECT">{electrons}</i><i type="int" name="ISMEAR">     1</i>
  <i name="SIGMA">      0.20000000</i></separator></parameters>
 <atominfo><atoms> {count} </atoms><types> {kinds} </types>
  <array name="atoms" ><field type="string">element</field><set>
{atoms}  </set></array>
  <array name="atomtypes" ><set>
{types}  </set></array></atominfo>
"""
STEP = """ <calculation>
  <scstep><energy><i name="e_fr_energy"> {energy:.10f} </i></energy></scstep>
  <structure><crystal><varray name="basis" >
{cell}  </varray></crystal><varray name="positions" >
{positions}  </varray></structure>
  <varray name="forces" >
{forces}  </varray>
  <varray name="stress" >
{stress}  </varray>
  <energy><i name="e_fr_energy"> {energy:.10f} </i><i name="e_wo_entrp"> {energy:.10f} </i>
   <i name="e_0_energy"> {energy:.10f} </i></energy>
 </calculation>
"""


def vasprun_of(frames: Sequence[Frame]) -> str:
    """Return the text of one run; all frames have the same atoms, in the same order."""
    symbols = [chemical_symbols[number] for number in frames[0].numbers]
    species = list(dict.fromkeys(symbols))
    head = HEAD.format(
        electrons=4.0 * len(symbols),
        count=len(symbols),
        kinds=len(species),
        atoms="".join(
            f"   <rc><c>{symbol}</c><c> {species.index(symbol) + 1}</c></rc>\n"
            for symbol in symbols
        ),
        types="".join(
            f"   <rc><c> {symbols.count(symbol)}</c><c>{symbol}</c><c> 1.0</c><c> 4.0</c>"
            f"<c>  PAW_PBE {symbol} 01Jan2001  </c></rc>\n"
            for symbol in species
        ),
    )
    return head + "".join(map(_step, frames)) + "</modeling>\n"


def _step(frame: Frame) -> str:
    assert frame.forces is not None
    assert frame.stress is not None
    assert frame.energy is not None
    fractions = np.linalg.solve(frame.cell.T, frame.positions.T).T
    return STEP.format(
        energy=frame.energy,
        cell=_rows(frame.cell),
        positions=_rows(fractions),
        forces=_rows(frame.forces),
        # VASP prints pressures: the other sign of Cauchy's stress.
        stress=_rows(-frame.stress / KBAR),
    )


def _rows(values: ArrayLike) -> str:
    return "".join(
        f"   <v> {' '.join(f'{value:.10f}' for value in row)} </v>\n" for row in np.asarray(values)
    )
