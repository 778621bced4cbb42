"""Stands in for n2p2's programs where they aren't installed: their files, without their physics.

Formats follow what n2p2 2.3 wrote (``reference/n2p2/training``). Called as ``stand_in.py PROGRAM …``;
needs nothing but the standard library, so that it starts quickly. ``STAND_IN`` in the environment
asks for a failure: ``nan``, ``missing``, ``element``.
"""

import os
import sys
import time
from itertools import pairwise
from pathlib import Path

NUMBERS = {"H": 1, "O": 8, "Si": 14, "Fe": 26, "Cu": 29}


def settings() -> tuple[dict[str, list[str]], dict[str, int]]:
    """Return the keywords of input.nn, and how many functions each element has."""
    found: dict[str, list[str]] = {}
    functions: dict[str, int] = {}
    for line in Path("input.nn").read_text().splitlines():
        words = line.split("#", 1)[0].split()
        if words and words[0] == "symfunction_short":
            functions[words[1]] = functions.get(words[1], 0) + 1
        elif words:
            found[words[0]] = words[1:]
    return found, functions


def structures() -> list[list[str]]:
    """Return the lines of each structure of input.data."""
    blocks: list[list[str]] = []
    for line in Path("input.data").read_text().splitlines():
        if line.startswith("begin"):
            blocks.append([])
        blocks[-1].append(line)
    return blocks


def norm() -> None:
    lines = ["mean_energy -0.1 # nnp-norm", "conv_energy 8.0 # nnp-norm", "conv_length 4.0"]
    text = Path("input.nn").read_text()
    if "mean_energy" in text:
        sys.exit("terminate called\n  what():  ERROR: Normalization keywords found in settings.")
    Path("input.nn").write_text("\n".join([*lines, text]))


def scaling() -> None:
    keywords, functions = settings()
    rows = ["# e_index sf_index sf_min sf_max sf_mean sf_sigma"]
    for index, element in enumerate(keywords["elements"], 1):
        for number in range(1, functions[element] + 1):
            sigma = 0.0 if os.environ.get("STAND_IN_CONSTANT") == element else 0.2
            rows.append(f"{index:10d} {number:10d} 0.1 0.9 0.5 {sigma:.8E}")
    Path("scaling.data").write_text("\n".join(rows) + "\n")


def train() -> None:
    keywords, functions = settings()
    wish = os.environ.get("STAND_IN", "")
    if wish == "missing":
        sys.exit('terminate called\n  what():  ERROR: Could not open file: "scaling.data".')
    if wish == "element":
        sys.exit('terminate called\n  what():  ERROR: Element "Xx" unknown.')
    names = [
        "RMSEpa_Etrain_pu",
        "RMSEpa_Etest_pu",
        "RMSE_Etrain_pu",
        "RMSE_Ftrain_pu",
        "RMSE_Ftest_pu",
    ]
    held_out = [block for block in structures() if "set=test" in block[0]]
    Path("test.data").write_text("".join(f"begin\n{block[1]}\nend\n" for block in held_out))
    epochs = int(keywords["epochs"][0])
    with Path("learning-curve.out").open("w") as curve:
        curve.write("# Col  Name             Description\n# 1    epoch            Current epoch.\n")
        curve.write("#        1                2                3\n")
        curve.write(f"#    epoch {' '.join(names)}\n")
        for epoch in range(epochs + 1):
            # The last but one epoch is the best.
            error = 0.01 * (1 + abs(epoch - (epochs - 1)))
            test = error if held_out else 0.0
            row = [error, test, error, 10 * error, 10 * test]
            text = "nan " * 5 if wish == "nan" else " ".join(f"{value:.8E}" for value in row)
            curve.write(f"{epoch:10d} {text}\n")
            curve.flush()
            write_weights(keywords, functions, epoch)
            time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))


def write_weights(keywords: dict[str, list[str]], functions: dict[str, int], epoch: int) -> None:
    hidden = [int(word) for word in keywords["global_nodes_short"]]
    for element in keywords["elements"]:
        sizes = [functions[element], *hidden, 1]
        count = sum((before + 1) * after for before, after in pairwise(sizes))
        values = "".join(f"{0.01 * (epoch + 1):.8E} a\n" for _ in range(count))
        Path(f"weights.{NUMBERS[element]:03d}.{epoch:06d}.out").write_text(values)


def dataset() -> None:
    energies, forces = ["# index N Eref_phys Ennp_phys"], ["# index_s index_a Fref_phys Fnnp_phys"]
    for row, block in enumerate(structures()):
        atoms = [line.split() for line in block if line.startswith("atom")]
        energy = float(next(line for line in block if line.startswith("energy")).split()[1])
        energies.append(f"{row} {len(atoms)} {energy:.8E} {energy + 0.01 * len(atoms):.8E}")
        for number, words in enumerate(atoms):
            forces += [f"{row} {number} {f} {float(f) + 0.1:.8E}" for f in words[7:10]]
    Path("energy.comp").write_text("\n".join(energies) + "\n")
    Path("forces.comp").write_text("\n".join(forces) + "\n")


def predict() -> None:
    (block,) = structures()
    atoms = [line for line in block if line.startswith("atom")]
    Path("energy.out").write_text(f"# Ennp Eref Ediff E_offset\n{-2.0 * len(atoms)} 0.0 0.0 0.0\n")
    rows = "".join("0.1 0.2 0.3 0 0 0 0 0 0\n" for _ in atoms)
    names = "fx fy fz fxRef fyRef fzRef fxDiff fyDiff fzDiff"
    Path("nnforces.out").write_text(f"# {names}\n{rows}")
    print(
        "### NNP EXTRAPOLATION WARNING ### STRUCTURE:      0 ATOM:         1 ELEMENT: Si "
        "SYMFUNC:    3 TYPE:  2 VALUE:  1.500E+00 MIN:  1.000E-01 MAX:  9.000E-01",
        file=sys.stderr,
    )


with Path("calls.log").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\n")
{
    "nnp-norm": norm,
    "nnp-scaling": scaling,
    "nnp-train": train,
    "nnp-dataset": dataset,
    "nnp-predict": predict,
}[sys.argv[1]]()
