"""Input and data file for LAMMPS, written from the settings of our own dynamics.

Manual: https://docs.lammps.org (commands fix nvt, fix npt, fix langevin, fix temp/csvr, run, timer).
One deck starts a run and goes on with one: it looks for a saved state first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from mlmd.errors import InvalidInput
from mlmd.lammps.frame_of_reference import FloatArray, ReferenceFrame, reference_frame
from mlmd.lammps.pair_styles import PairStyle
from mlmd.md.ensembles import Ensemble
from mlmd.md.settings import MDSettings
from mlmd.md.stages import Stage, stress_tensor
from mlmd.md.system import System
from mlmd.units import AMU_A2_PER_FS2, BAR, EV_PER_A3_IN_GPA

DATA_FILE = "structure.data"
INPUT_FILE = "in.lammps"
LOG_FILE = "log.lammps"
DUMP_FILE = "trajectory.dump"
STATE_FILE = "state.restart"
STAGE_MARK = "# mlmd stage"
FS_PER_PS = 1000.0
GPA_IN_BAR = 1.0 / (EV_PER_A3_IN_GPA * BAR)
_LARGEST_SEED = 900_000_000  # of LAMMPS' random numbers
_IDS_PER_LINE = 12
# Columns of the log; `mlmd.lammps.log` reads them by these names.
THERMO = ("step", "temp", "pe", "ke", "etotal", "econserve", "press", "density", "vol", "spcpu")


def atom_types(system: System) -> tuple[str, ...]:
    """Return the element of each atom type: those present, by atomic number.

    Raises:
        InvalidInput: atoms of one element with different masses, which LAMMPS' types can't hold.
    """
    for number in np.unique(system.numbers):
        if np.ptp(system.inertia[system.numbers == number]) > 0:
            raise InvalidInput(
                "structure",
                f"{chemical_symbols[number]} atoms of different masses",
                "one mass for each element",
                "LAMMPS has one type an element: run isotopes with our own engine.",
            )
    return tuple(chemical_symbols[number] for number in np.unique(system.numbers))


def data_file(system: System, frame: ReferenceFrame, elements: Sequence[str] = ()) -> str:
    """Return the structure with its velocities as LAMMPS data, units metal.

    Args:
        system: atoms in motion.
        frame: how they lie in LAMMPS' box.
        elements: of the atom types; empty for those that the structure has, by atomic number.
    """
    elements = tuple(elements) or atom_types(system)
    kinds = np.array([atomic_numbers[symbol] for symbol in elements])
    order = np.argsort(kinds)
    types = order[np.searchsorted(kinds, system.numbers, sorter=order)]
    positions = frame.to_box(system.positions)
    velocities = frame.to_box(system.velocities) * FS_PER_PS
    low, high = frame.origin, frame.origin + np.diag(frame.box)
    masses = {k: _mass(system, k) for k in kinds}
    lines = [
        "A structure for LAMMPS, units metal",
        "",
        f"{len(system.numbers)} atoms",
        f"{len(kinds)} atom types",
        "",
        *(f"{low[k]:.16g} {high[k]:.16g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")),
        f"{frame.box[1, 0]:.16g} {frame.box[2, 0]:.16g} {frame.box[2, 1]:.16g} xy xz yz",
        "",
        "Masses",
        "",
        *(
            f"{n} {masses[kind]:.10g}  # {chemical_symbols[kind]}"
            for n, kind in enumerate(kinds, 1)
        ),
        "",
        "Atoms  # atomic",
        "",
        *(
            f"{index} {kind + 1} {x:.16g} {y:.16g} {z:.16g}"
            for index, (kind, (x, y, z)) in enumerate(
                zip(types, positions.tolist(), strict=True), 1
            )
        ),
        "",
        "Velocities",
        "",
        *(
            f"{index} {x:.16g} {y:.16g} {z:.16g}"
            for index, (x, y, z) in enumerate(velocities.tolist(), 1)
        ),
    ]
    return "\n".join(lines) + "\n"


def input_file(
    settings: MDSettings,
    system: System,
    pair_style: PairStyle,
    walltime_s: float | None = None,
) -> str:
    """Return the deck.

    It reads `DATA_FILE`, or goes on from `STATE_FILE` where that lies beside it; it writes
    `LOG_FILE`, `DUMP_FILE` and, whole or not at all, `STATE_FILE`.

    Args:
        settings: stages, time step, sampling.
        system: what `data_file` wrote.
        pair_style: of the potential.
        walltime_s: after which LAMMPS stops in order and saves its state; None for never.

    Raises:
        InvalidInput: something that LAMMPS can't do as asked.
    """
    present = atom_types(system)
    _check_known(present, pair_style)
    types = pair_style.types or present
    return "\n".join(
        [
            "# Written from the settings of a run; units metal: Å, eV, ps, bar.",
            f"log {LOG_FILE} append",
            "units metal",
            f"boundary {' '.join('p' if periodic else 's' for periodic in system.pbc)}",
            "atom_style atomic",
            "atom_modify map array",
            "box tilt large",
            f"variable saved equal is_file({STATE_FILE})",
            f'if "${{saved}} > 0" then "read_restart {STATE_FILE}" else "read_data {DATA_FILE}"',
            "",
            *pair_style.lines(types),
            "neighbor 1.0 bin",
            f"timestep {settings.time_step / FS_PER_PS:.10g}",
            "",
            *_groups(system),
            *_outputs(settings, system.has_fixed),
            *([] if walltime_s is None else [f"timer timeout {_clock(walltime_s)} every 100"]),
            "",
            *_stages(settings, system),
            f"write_restart {STATE_FILE}.part",
            f"shell mv {STATE_FILE}.part {STATE_FILE}",
            "",
        ]
    )


def _mass(system: System, number: int) -> float:
    """Return the mass of an element, amu: the structure's own, or the usual one if it has none."""
    own = system.inertia[system.numbers == number]
    return float(own[0, 0] / AMU_A2_PER_FS2) if len(own) else float(atomic_masses[number])


def _check_known(types: Sequence[str], pair_style: PairStyle) -> None:
    unknown = [element for element in types if element not in pair_style.elements]
    if unknown:
        raise InvalidInput(
            "structure",
            f"elements that the potential doesn't know: {', '.join(unknown)}",
            f"only {', '.join(pair_style.elements)}",
            "Choose another potential, or train one with such structures.",
        )


def _groups(system: System) -> list[str]:
    """Return the groups of held and moving atoms; without held ones, all move."""
    held = ~system.free
    if not held.any():
        return ["group mobile union all"]
    if not np.array_equal(held.all(axis=1), held.any(axis=1)):
        raise InvalidInput(
            "structure",
            "atoms that are held along some directions only",
            "atoms that are held altogether or not at all",
            "Run it with our own engine, or hold the atoms altogether.",
        )
    ids = [str(index) for index in np.flatnonzero(held[:, 0]) + 1]
    lines = [
        f"group held id {' '.join(ids[start : start + _IDS_PER_LINE])}"
        for start in range(0, len(ids), _IDS_PER_LINE)
    ]
    return [*lines, "group mobile subtract all held", "fix hold held setforce 0.0 0.0 0.0"]


def _outputs(settings: MDSettings, has_held: bool) -> list[str]:
    velocities = " vx vy vz" if settings.store_velocities else ""
    # Held atoms have no temperature: without this they would cool the others' in the log.
    # Nor is their centre of mass free, for which LAMMPS would take three degrees of freedom away.
    moving = [
        "compute moving mobile temp",
        "compute_modify moving extra/dof 0",
        "thermo_modify temp moving",
    ]
    return [
        f"thermo_style custom {' '.join(THERMO)}",
        "thermo_modify norm no flush yes lost error format float %.12g",
        *(moving if has_held else []),
        # Every frame of the trajectory finds its energies in the log.
        f"thermo {math.gcd(settings.sample_every, settings.trajectory_every)}",
        f"dump frames all custom {settings.trajectory_every} {DUMP_FILE} id xu yu zu{velocities}",
        "dump_modify frames sort id format float %.10g flush yes append yes",
    ]


def _stages(settings: MDSettings, system: System) -> Iterable[str]:
    end = 0
    turn = reference_frame(system.cell, system.pbc, system.positions).rotation
    for index, stage in enumerate(settings.stages):
        begin, end = end, end + stage.steps
        fixes = _fixes(stage, settings, index, turn)
        run = (
            f"run {end} upto start {begin} stop {end} every {settings.checkpoint_every} "
            f'"write_restart {STATE_FILE}.part" "shell mv {STATE_FILE}.part {STATE_FILE}"'
        )
        yield f"label stage{index}"
        yield "variable now equal step"
        yield f'if "${{now}} >= {end}" then "jump SELF after{index}"'
        yield f'print "{STAGE_MARK} {index}"'
        yield from fixes
        yield run
        yield from (f"unfix {line.split()[1]}" for line in reversed(fixes))
        yield f"label after{index}"
        yield ""


def _fixes(stage: Stage, settings: MDSettings, index: int, turn: FloatArray) -> list[str]:
    """Return the fixes that make a stage's ensemble."""
    first, last = stage.temperature_start, stage.last_temperature
    ramp = f"{first:.10g} {last:.10g}"
    time = f"{settings.thermostat_time / FS_PER_PS:.10g}"
    seed = 1 + (settings.seed + 7919 * index) % _LARGEST_SEED
    nve = "fix move mobile nve"
    chain = settings.chain_length
    if stage.ensemble.moves_cell:
        barostat = _barostat(stage, settings.barostat_time / FS_PER_PS, turn)
        return [f"fix move mobile npt temp {ramp} {time} {barostat} tchain {chain}"]
    return {
        Ensemble.NVE: [nve],
        Ensemble.NVT_LANGEVIN: [
            nve,
            f"fix bath mobile langevin {ramp} {time} {seed} zero yes tally yes",
        ],
        Ensemble.NVT_BUSSI: [nve, f"fix bath mobile temp/csvr {ramp} {time} {seed}"],
        Ensemble.NVT_NOSE_HOOVER: [f"fix move mobile nvt temp {ramp} {time} tchain {chain}"],
    }[stage.ensemble]


def _barostat(stage: Stage, time: float, turn: FloatArray) -> str:
    """Return the part of ``fix npt`` that holds a pressure or stress, in LAMMPS' axes."""
    pressure = f"{stage.pressure * GPA_IN_BAR:.10g}"
    if stage.ensemble == Ensemble.NPT:
        return f"iso {pressure} {pressure} {time:.10g}"
    if stage.ensemble == Ensemble.NPT_AXES and not np.allclose(turn, np.eye(3), atol=1e-9):
        raise InvalidInput(
            "structure",
            "a cell whose first vector isn't along x, or whose second leaves the xy plane",
            "LAMMPS' orientation for npt-axes",
            "Turn the structure, choose npt or npt-full, or run it with our own engine.",
        )
    stress = stress_tensor(stage)
    shape = "aniso" if stage.ensemble == Ensemble.NPT_AXES else "tri"
    # Flipped, the lattice vectors would jump from frame to frame.
    end = " flip no" if shape == "tri" else ""
    if stress is None:
        return f"{shape} {pressure} {pressure} {time:.10g}{end}"
    # LAMMPS counts pressure, we count tension.
    target = stage.pressure * np.eye(3) - turn @ stress @ turn.T * EV_PER_A3_IN_GPA
    axes = ("xx", "yy", "zz") if shape == "aniso" else ("xx", "yy", "zz", "yz", "xz", "xy")
    words = []
    for axis in axes:
        component = target["xyz".index(axis[0]), "xyz".index(axis[1])]
        value = f"{round(component * GPA_IN_BAR, 6) + 0.0:.10g}"
        words.append(f"{axis[0] if axis[0] == axis[1] else axis} {value} {value} {time:.10g}")
    return " ".join(words) + end


def _clock(seconds: float) -> str:
    whole = max(int(seconds), 1)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
