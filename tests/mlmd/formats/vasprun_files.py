"""A small vasprun.xml, made to order: two atoms of silicon."""

from __future__ import annotations

from collections.abc import Mapping

HEAD = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator>
  <i name="program" type="string">vasp </i>
  <i name="version" type="string">{version}  </i>
 </generator>
 <incar>
{incar} </incar>
 <kpoints>
  <generation param="Gamma">
   <v type="int" name="divisions">       4        4        4 </v>
  </generation>
  <varray name="kpointlist" >
   <v>       0.00000000       0.00000000       0.00000000 </v>
  </varray>
 </kpoints>
 <parameters>
  <separator name="electronic" >
   <i name="ENMAX">    400.00000000</i>
   <i name="EDIFF">      0.00001000</i>
   <i type="int" name="NELM">{nelm}</i>
   <i name="NELECT">{nelect}</i>
   <i type="int" name="ISMEAR">     1</i>
   <i name="SIGMA">      0.20000000</i>
   <i type="int" name="KINTER">******</i>
{parameters}  </separator>
  <separator name="response functions" >
   <i type="int" name="NELM">     1</i>
  </separator>
 </parameters>
 <atominfo>
  <atoms>       2 </atoms>
  <types>       1 </types>
  <array name="atoms" >
   <field type="string">element</field>
   <set>
    <rc><c>{symbol}</c><c>   1</c></rc>
    <rc><c>{symbol}</c><c>   1</c></rc>
   </set>
  </array>
  <array name="atomtypes" >
   <set>
    <rc><c>   2</c><c>{symbol}</c><c>     28.08500000</c><c>      4.00000000</c><c>  {title}  </c></rc>
   </set>
  </array>
 </atominfo>
 <structure name="initialpos" >
  <crystal>
   <varray name="basis" >
    <v>       4.00000000       0.00000000       0.00000000 </v>
    <v>       0.00000000       4.00000000       0.00000000 </v>
    <v>       0.00000000       0.00000000       4.00000000 </v>
   </varray>
  </crystal>
  <varray name="positions" >
   <v>       0.00000000       0.00000000       0.00000000 </v>
   <v>       0.50000000       0.50000000       0.50000000 </v>
  </varray>
  <varray name="selective"  type="logical" >
   <v type="logical" >  F  F  F </v>
   <v type="logical" >  T  T  F </v>
  </varray>
 </structure>
"""
STRUCTURE = """  <structure>
   <crystal>
    <varray name="basis" >
     <v>       4.00000000       0.00000000       0.00000000 </v>
     <v>       0.00000000       4.00000000       0.00000000 </v>
     <v>       1.00000000       0.00000000       5.00000000 </v>
    </varray>
    <i name="volume">     80.00000000 </i>
   </crystal>
   <varray name="positions" >
    <v>       0.00000000       0.00000000       0.00000000 </v>
    <v>       0.50000000       0.50000000       0.50000000 </v>
   </varray>
  </structure>
  <varray name="forces" >
   <v>      {force}       0.00000000       0.00000000 </v>
   <v>      -0.50000000       0.00000000       0.00000000 </v>
  </varray>
"""
STRESS = """  <varray name="stress" >
   <v>      10.00000000       1.00000000       0.00000000 </v>
   <v>       1.00000000      20.00000000       0.00000000 </v>
   <v>       0.00000000       0.00000000     -30.00000000 </v>
  </varray>
"""
ENERGY = """  <energy>
   <i name="e_fr_energy">     {free} </i>
   <i name="e_wo_entrp">     {second} </i>
   <i name="e_0_energy">     {third} </i>
  </energy>
"""
ELECTRONIC = """  <scstep>
   <energy>
    <i name="e_fr_energy">     {value} </i>
    <i name="e_0_energy">     99.00000000 </i>
   </energy>
  </scstep>
"""
DOS = """  <eigenvalues><array><set><r> 1.0 ***** </r></set></array></eigenvalues>
  <dos><i name="efermi">  ****** </i><total><array><set><r> 0 0 </r></set></array></total></dos>
"""


def settings(values: Mapping[str, str]) -> str:
    return "".join(f'  <i name="{name}"> {value}</i>\n' for name, value in values.items())


def vasprun(
    steps: int = 1,
    machine_learned: int = 0,
    version: str = "6.3.0",
    incar: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    energies: tuple[str, str, str] = ("-10.00000000", "-9.80000000", "-9.90000000"),
    forces: tuple[str, ...] = (),
    electronic: tuple[float, ...] = (-9.0, -10.0, -10.000001),
    nelm: int = 60,
    nelect: float = 8.0,
    symbol: str = "Si",
    title: str = "PAW_PBE Si 05Jan2001",
    end: str = "</modeling>\n",
) -> str:
    """Return the text of a file; ``forces[i]`` replaces the first force of step i."""
    head = HEAD.format(
        version=version,
        incar=settings(incar or {}),
        parameters=settings(parameters or {}),
        nelm=nelm,
        nelect=nelect,
        symbol=symbol,
        title=title,
    )
    free, second, third = energies
    energy = ENERGY.format(free=free, second=second, third=third)
    cycle = "".join(ELECTRONIC.format(value=value) for value in electronic)
    parts = [head]
    for i in range(steps):
        force = forces[i] if i < len(forces) else " 0.50000000"
        body = STRUCTURE.format(force=force) + STRESS + energy
        parts.append(f" <calculation>\n{cycle}{body}{DOS} </calculation>\n")
    parts += [STRUCTURE.format(force=" 0.50000000") + energy] * machine_learned
    return "".join(parts) + end
