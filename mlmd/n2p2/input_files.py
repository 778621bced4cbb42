"""Writes n2p2's ``input.nn`` and ``input.data``, and the two small scripts between its programs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlmd.formats.labels import EnergyKind
from mlmd.formats.n2p2 import write_n2p2
from mlmd.frame import Frame
from mlmd.hdnnp.automatic import function_lines
from mlmd.hdnnp.files import INPUT, UNITS, weights_name
from mlmd.n2p2.data import TrainingData
from mlmd.runs import write_bytes_atomic, write_json_atomic

DATA = "input.data"
CURVE = "learning-curve.out"
BEST = "best-epoch"
NORMALISATION = ("mean_energy", "conv_energy", "conv_length")


def write_input(data: TrainingData, folder: Path) -> None:
    """Write ``input.nn`` and, because it doesn't say its units, ``units.json``."""
    write_bytes_atomic(folder / INPUT, input_text(data).encode())
    write_json_atomic(folder / UNITS, {"length_unit": "angstrom", "energy_unit": "ev"})


def input_text(data: TrainingData) -> str:
    """Return ``input.nn``, in Å and eV: everything that all of n2p2's programs need."""
    settings = data.settings
    layers = settings.as_ours.layers
    activation = settings.activation.value
    lines = {
        "number_of_elements": str(len(data.elements)),
        "elements": " ".join(data.elements),
        "cutoff_type": "6 0.0",
        "scale_symmetry_functions_sigma": "",
        "scale_min_short": "0.0",
        "scale_max_short": f"{settings.input_range!r}",
        "global_hidden_layers_short": str(len(layers)),
        "global_nodes_short": " ".join(map(str, layers)),
        "global_activation_short": " ".join([*[activation] * len(layers), "l"]),
        "random_seed": str(settings.seed),
        "test_fraction": f"{settings.validation_fraction!r}",
        "epochs": str(settings.epochs),
        **({"use_short_forces": ""} if data.has_forces else {}),
        **_TRAINING,
        "force_weight": f"{settings.force_weight!r}",
        "short_force_fraction": f"{force_fraction(data):.6g}",
    }
    for line in settings.extra_lines.splitlines():
        keyword, _, rest = line.split("#", 1)[0].strip().partition(" ")
        if keyword:
            lines[keyword] = rest.strip()
    text = [f"{keyword:30} {value}".rstrip() for keyword, value in lines.items()]
    text += [f"{'atom_energy':30} {e} {energy!r}" for e, energy in data.atom_energies.items()]
    return "\n".join(["# Å and eV", *text, "", function_lines(data.functions), ""])


# The Kalman filter as n2p2's own examples set it up: doi:10.1021/acs.jctc.8b01092.
_TRAINING = {
    "updater_type": "1",
    "parallel_mode": "0",
    "jacobian_mode": "1",
    "update_strategy": "0",
    "selection_mode": "2",
    "task_batch_size_energy": "1",
    "task_batch_size_force": "1",
    "memorize_symfunc_results": "",
    "short_energy_fraction": "1.0",
    "short_energy_error_threshold": "0.0",
    "short_force_error_threshold": "1.0",
    "rmse_threshold_trials": "3",
    "weights_min": "-1.0",
    "weights_max": "1.0",
    "nguyen_widrow_weights_short": "",
    "main_error_metric": "RMSEpa",
    "write_weights_epoch": "1",
    "kalman_type": "0",
    "kalman_epsilon": "0.01",
    "kalman_q0": "0.01",
    "kalman_qtau": "2.302",
    "kalman_qmin": "1e-06",
    "kalman_eta": "0.01",
    "kalman_etatau": "2.302",
    "kalman_etamax": "1.0",
}


def force_fraction(data: TrainingData) -> float:
    """Return the share of force components that is learned from in an epoch."""
    learned = [frame for row, frame in enumerate(data.frames) if row not in data.held_out]
    components = 3 * sum(map(len, learned))
    return min(1.0, data.settings.force_updates * len(learned) / components)


def write_data(data: TrainingData, path: Path) -> None:
    """Write ``input.data``; the comment of each structure says which frame it is.

    ``begin set=test`` holds a frame out. n2p2 before version 2.3 doesn't know that and draws its
    own test set; what was held out is therefore read from ``test.data`` afterwards.
    """
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as stream:
        for row, frame in enumerate(data.frames):
            stream.write(structure_text(frame, row, row in data.held_out))
    part.replace(path)


def structure_text(frame: Frame, row: int, held_out: bool | None = None) -> str:
    """Return one structure of ``input.data``.

    Args:
        frame: with an energy; forces count as zero where there are none.
        row: number that the comment carries.
        held_out: whether nnp-train keeps it for testing; None says nothing.
    """
    if frame.forces is None:
        frame = replace(frame, forces=np.zeros((len(frame), 3)))
    buffer = io.StringIO()
    write_n2p2(frame, buffer, EnergyKind.FREE)
    words = {None: "", True: " set=test", False: " set=train"}[held_out]
    text = buffer.getvalue().replace("comment ", f"comment row={row} ", 1)
    return text.replace("begin", f"begin{words}", 1)


def constants_script(constant: tuple[str, ...], elements: tuple[str, ...]) -> str:
    """Return the shell script that lets n2p2 survive an element with one constant function.

    nnp-train divides by σ = 0 there; σ = 1 makes the scaled function 0, so that the element
    gets one energy.
    """
    chosen = " ".join(str(elements.index(element) + 1) for element in constant)
    return f"""\
# {" ".join(constant)}: all atoms have the same surroundings; their function is constant.
awk -v chosen=" {chosen} " '
  /^[ ]*[0-9]/ && NF == 6 && index(chosen, " " $1 " ") && $6 + 0 == 0 {{
    $4 = $4 + 1; $6 = 1 }}
  {{ print }}
' scaling.data > scaling.part && mv scaling.part scaling.data
"""


def choice_script(elements: tuple[str, ...], emphasis: float) -> str:
    """Return the shell script that takes the best epoch's weights.

    The best one has the lowest RMSE of forces plus `emphasis` times that of energies per atom, of
    the test set where there is one. Columns are found by name: their number depends on the input.
    """
    copies = "\n".join(
        f"cp {weights_name(e)[:-5]}.$epoch.out {weights_name(e)} || exit 1" for e in elements
    )
    return f"""\
# The epoch with the lowest error, and its weights.
awk -v emphasis={emphasis!r} '
  /^#/ {{ if ($2 == "epoch" && NF > 4) for (i = 2; i <= NF; i++) column[$i] = i - 1; next }}
  function known(name) {{
    return (name in column) && $column[name] == $column[name] + 0 && $column[name] !~ /[nN]/
  }}
  $1 > 0 {{
    energy = known("RMSEpa_Etest_pu") && $column["RMSEpa_Etest_pu"] + 0 > 0 ? \\
      "RMSEpa_Etest_pu" : "RMSEpa_Etrain_pu"
    force = energy == "RMSEpa_Etest_pu" ? "RMSE_Ftest_pu" : "RMSE_Ftrain_pu"
    if (!known(energy)) next
    error = emphasis * $column[energy] + (known(force) ? $column[force] : 0)
    if (best == "" || error < best) {{ best = error; epoch = $1 }}
  }}
  END {{ if (epoch == "") exit 1; printf "%06d\\n", epoch }}
' {CURVE} > {BEST} || {{ echo "no epoch of {CURVE} has finite errors"; exit 1; }}
epoch=$(cat {BEST})
{copies}
"""
