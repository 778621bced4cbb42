"""Writes aenet's inputs: structures, set-ups, ``generate.in``, ``train.in``, ``predict.in``."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from mlmd.aenet.data import AenetData
from mlmd.aenet.potential import ChebyshevBasis
from mlmd.aenet.settings import ACTIVATIONS
from mlmd.aenet.writing import AENET_KINDS, network_start
from mlmd.formats import write_frames
from mlmd.formats.aenet_xsf import SUFFIX
from mlmd.hdnnp.potential import Activation, ElementNetwork, SymmetryFunction
from mlmd.runs import write_bytes_atomic

GENERATE, TRAIN = "generate.in", "train.in"
TRAINING_SET = "aenet.train"
STRUCTURES = "structures"
CLEAN_SCRIPT, START_SCRIPT, CHOICE_SCRIPT = "clean.sh", "start.sh", "best-epoch.sh"
TRAIN_LOG = "train.out"
STARTED = "Training process started"
BEST = "best-epoch"
POTENTIAL_FOLDER = "potential"
RANDOM_STATE = "train.rngstate"
RANDOM_WORDS = 8  # that the generator of GNU Fortran has


def structure_name(row: int) -> str:
    """Return the path of a frame's structure, as aenet is told it."""
    return f"{STRUCTURES}/structure-{row + 1:06d}{SUFFIX}"


def network_name(element: str, layers: Sequence[int]) -> str:
    """Return the name of an element's network file."""
    return f"{element}.{'-'.join(map(str, layers))}.nn"


def write_structures(data: AenetData, folder: Path) -> None:
    """Write every frame as a file of its own."""
    target = folder / STRUCTURES
    if target.is_dir():
        shutil.rmtree(target)
    write_frames(data.frames, target, "aenet")


def write_generate(data: AenetData, folder: Path) -> None:
    """Write ``generate.in`` and the set-up of each element."""
    for element in data.elements:
        write_bytes_atomic(folder / f"{element}.stp", setup_text(data, element).encode())
    types = [f"{e} {energy!r}" for e, energy in data.atom_energies.items()]
    lines = [
        f"OUTPUT {TRAINING_SET}", "", "TYPES", str(len(types)), *types, "",
        "SETUPS", *(f"{e} {e}.stp" for e in data.elements), "",
        "FILES", str(len(data.frames)), *(structure_name(row) for row in range(len(data.frames))),
    ]  # fmt: skip
    write_bytes_atomic(folder / GENERATE, ("\n".join(lines) + "\n").encode())
    clean = f"# generate.x refuses to write over a training set.\nrm -f {TRAINING_SET}\n"
    write_bytes_atomic(folder / CLEAN_SCRIPT, clean.encode())


def basis_of(data: AenetData) -> ChebyshevBasis:
    """Return the Chebyshev functions that the settings ask for."""
    settings = data.settings
    reach = settings.cutoff_radius
    angular = min(settings.angular_cutoff, reach)
    return ChebyshevBasis(
        data.elements, reach, settings.radial_order, angular, settings.angular_order
    )


def setup_text(data: AenetData, element: str) -> str:
    """Return the structural fingerprint set-up of an element."""
    if data.functions is None:
        basis = basis_of(data)
        functions = [
            "BASIS type=Chebyshev",
            f"radial_Rc = {basis.radial_cutoff!r}  radial_N = {basis.radial_order}  "
            f"angular_Rc = {basis.angular_cutoff!r}  angular_N = {basis.angular_order}",
        ]
    else:
        own = data.functions[element]
        functions = ["FUNCTIONS type=Behler2011", str(len(own)), *map(_function_line, own)]
    lines = [
        "DESCR", "  Written by mlmd.", "END DESCR", "", f"ATOM {element}", "",
        f"ENV {len(data.elements)}", *data.elements, "",
        f"RMIN {data.settings.shortest_distance!r}", "", *functions,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _function_line(function: SymmetryFunction) -> str:
    f, kind = function, AENET_KINDS[function.kind]
    # aenet looks for the first “eta” of the line, so it stands before zeta.
    if kind == 2:
        return f"G=2 type2={f.neighbors[0]} eta={f.eta!r} Rs={f.rs!r} Rc={f.cutoff!r}"
    first, second = f.neighbors
    return (
        f"G={kind} type2={first} type3={second} eta={f.eta!r} lambda={f.lam!r} "
        f"zeta={f.zeta!r} Rc={f.cutoff!r}"
    )


def write_train(data: AenetData, folder: Path) -> None:
    """Write ``train.in``, the first weights, and the scripts around train.x."""
    settings = data.settings
    layers = settings.as_ours.layers
    word = ACTIVATIONS[settings.activation]
    nodes = "  ".join(f"{count}:{word}" for count in layers)
    names = {element: network_name(element, layers) for element in data.elements}
    lines = [
        f"TRAININGSET {TRAINING_SET}",
        f"TESTPERCENT {100.0 * settings.validation_fraction!r}",
        f"ITERATIONS {settings.epochs}",
        "SAVE_ENERGIES", "",
        "METHOD", f"{settings.method.value} {settings.options}".rstrip(), "",
        "NETWORKS", *(f"{e} {name}  {len(layers)}  {nodes}" for e, name in names.items()),
    ]  # fmt: skip
    write_bytes_atomic(folder / TRAIN, ("\n".join(lines) + "\n").encode())
    rng = np.random.default_rng(settings.seed)
    for element, name in names.items():
        network = _first_network(
            rng, _inputs(data, element), layers, Activation(settings.activation)
        )
        write_bytes_atomic(folder / f"{name}.start", network_start(network))
    write_bytes_atomic(folder / f"{RANDOM_STATE}.start", _random_state(rng))
    write_bytes_atomic(folder / START_SCRIPT, _start_script(names).encode())
    write_bytes_atomic(folder / CHOICE_SCRIPT, _choice_script(names).encode())


def _inputs(data: AenetData, element: str) -> int:
    return basis_of(data).count if data.functions is None else len(data.functions[element])


def _first_network(
    rng: np.random.Generator, inputs: int, layers: Sequence[int], activation: Activation
) -> ElementNetwork:
    """Return random weights as aenet draws them: a standard deviation of 1/√(inputs + 1)."""
    weights, biases = [], []
    for before, after in pairwise((inputs, *layers, 1)):
        drawn = rng.uniform(-0.5, 0.5, (before + 1, after)) * np.sqrt(12.0 / (before + 1))
        weights.append(drawn[:-1])
        biases.append(drawn[-1])
    activations = (*[activation] * len(layers), Activation.LINEAR)
    return ElementNetwork(tuple(weights), tuple(biases), activations)


def _random_state(rng: np.random.Generator) -> bytes:
    """Return the state from which train.x draws the held-out structures.

    A program of another compiler than GNU's takes no notice, and draws by its clock.
    """
    words = rng.integers(-(2**31), 2**31, RANDOM_WORDS).astype("<i4").tobytes()
    records = (struct.pack("<i", RANDOM_WORDS), words)
    return b"".join(struct.pack("<i", len(r)) + r + struct.pack("<i", len(r)) for r in records)


def _start_script(names: Mapping[str, str]) -> str:
    copies = "\n".join(f"cp {name}.start {name} || exit 1" for name in names.values())
    return f"""\
# train.x goes on with what it finds: begin with our first weights and held-out structures.
rm -f train.restart energies.train.* energies.test.* {TRAINING_SET}.scaled* *.nn-[0-9]* {BEST}
{copies}
cp {RANDOM_STATE}.start {RANDOM_STATE}
"""


def _choice_script(names: Mapping[str, str]) -> str:
    copies = "\n".join(
        f"cp {name}-$epoch {POTENTIAL_FOLDER}/{name} || exit 1" for name in names.values()
    )
    return f"""\
if [ "$(grep -c '{STARTED}' {TRAIN_LOG})" -gt 1 ]; then
  echo "train.x ran several times: it was built without MPI"
  exit 1
fi
# The epoch with the lowest error of held-out structures, or of all where none are.
awk '
  /^ *[0-9]+ .*<$/ && $1 > 0 {{
    error = ($5 == $5 + 0 && $5 !~ /[nN*]/ && $5 + 0 > 0) ? $5 : $3
    if (error !~ /[0-9]/ || error ~ /[nN*]/) next
    if (best == "" || error + 0 < best) {{ best = error + 0; epoch = $1 }}
  }}
  END {{ if (epoch == "") exit 1; printf "%05d\\n", epoch }}
' {TRAIN_LOG} > {BEST} || {{ echo "no epoch of {TRAIN_LOG} has finite errors"; exit 1; }}
epoch=$(cat {BEST})
mkdir -p {POTENTIAL_FOLDER}
rm -f {POTENTIAL_FOLDER}/*.nn
{copies}
rm -f *.nn-[0-9]*
"""


def predict_text(networks: Mapping[str, str], files: Sequence[str]) -> str:
    """Return ``predict.in``.

    Args:
        networks: element → file, beside the input: aenet cuts names at a slash.
        files: of the structures.
    """
    lines = [
        "TYPES", str(len(networks)), *networks, "",
        "NETWORKS", *(f"{element} {name}" for element, name in networks.items()), "",
        "FORCES", "", "VERBOSITY low", "", "FILES", str(len(files)), *files,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
