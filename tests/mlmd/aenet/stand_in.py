"""Stands in for aenet's programs where they aren't installed: their files, without their physics.

Formats follow what aenet 2.0.4 wrote (``reference/``, and the tables below). Called as
``stand_in.py PROGRAM INPUT``; needs nothing but the standard library, so that it starts quickly.
``STAND_IN`` in the environment asks for a failure: ``nan``, ``missing``, ``silent``.
"""

import os
import re
import struct
import sys
import time
from pathlib import Path

DONE = """
 ======================================================================
                     Training set generation done.
 ======================================================================
"""
HEAD = """
 Weight optimization for {0} epochs using the Limited-memory BFGS method.

        |------------TRAIN-----------|  |------------TEST------------|
 epoch             MAE          <RMSE>             MAE          <RMSE>
"""


def sections(name: str) -> dict[str, list[list[str]]]:
    """Return the lines of words below each keyword of an input."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in Path(name).read_text().splitlines():
        words = line.split()
        if words and re.fullmatch(r"[A-Z_]+", words[0]) and len(words[0]) > 2:
            rows = found.setdefault(words[0], [])
            rows += [words[1:]] if words[1:] else []
        elif words:
            rows.append(words)
    return found


def generate() -> None:
    given = sections(sys.argv[2])
    (output,) = given["OUTPUT"][0]
    if Path(output).exists():
        print(f" Error: file already exists: {output}", file=sys.stderr)
        return
    files = [row[0] for row in given["FILES"][1:]]
    missing = [name for name in files if not Path(name).is_file()]
    if missing or wish == "missing":
        print(f" Error: File not found: {(missing or ['O.stp'])[0]}", file=sys.stderr)
        return
    types = [" ".join(row) for row in given["TYPES"][1:]]
    Path(output).write_text("\n".join([*types, "", *files]) + "\n")
    print(DONE)


def record(content: bytes) -> bytes:
    length = struct.pack("<i", len(content))
    return length + content + length


def integers(*values: int) -> bytes:
    return record(struct.pack(f"<{len(values)}i", *values))


def numbers(*values: float) -> bytes:
    return record(struct.pack(f"<{len(values)}d", *values))


def words(length: int, *names: str) -> bytes:
    return record(b"".join(name.ljust(length).encode() for name in names))


def network(element: str, start: bytes, energies: dict[str, float]) -> bytes:
    """Return a network file: the first weights with the set-up of an element (Chebyshev)."""
    given = sections(f"{element}.stp")
    elements = [row[0] for row in given["ENV"][1:]]
    radial, order, angular, degree = (
        float(value) for value in re.findall(r"= ([\d.]+)", " ".join(given["BASIS"][1]))
    )
    count = round(order + degree + 2) * (1 if len(elements) == 1 else 2)
    table = [radial, order, angular, degree, *[0.0] * (4 * count - 4)]
    return b"".join(
        (
            start, words(1024, "  Written by mlmd.$$"), words(2, element), integers(len(elements)),
            words(2, *elements), numbers(float(given["RMIN"][0][0])), numbers(radial),
            words(100, "Chebyshev"), integers(count), integers(4), integers(*[0] * count),
            numbers(*table), integers(*[0] * 2 * count), integers(99), numbers(*[-9.0] * count),
            numbers(*[9.0] * count), numbers(*[0.0] * count), numbers(*[4.0] * count),
            words(1024, "aenet.train.scaled"), integers(1), numbers(10.0), numbers(0.0),
            integers(len(energies)), words(2, *energies), numbers(*energies.values()),
            integers(99), integers(9), numbers(-1.0, 1.0, 0.0),
        )
    )  # fmt: skip


def train() -> None:
    given = sections(sys.argv[2])
    text = Path(given["TRAININGSET"][0][0]).read_text()
    types, files = (part.split("\n") for part in text.strip().split("\n\n"))
    energies = {row.split()[0]: float(row.split()[1]) for row in types}
    epochs = int(given["ITERATIONS"][0][0])
    held_out = files[:: max(1, round(100 / (float(given["TESTPERCENT"][0][0]) or 1e9)))]
    if float(given["TESTPERCENT"][0][0]) == 0.0:
        held_out = []
    if "SAVE_ENERGIES" in given:
        Path("energies.test.0").write_text("".join(f" 1.0 1.0 6 {name}\n" for name in held_out))
        Path("energies.train.0").write_text("")
    print(" Training process started.\n", HEAD.format(epochs))
    for epoch in range(epochs + 1):
        # The last but one epoch is the best.
        error = 0.01 * (1 + abs(epoch - (epochs - 1)))
        test = "NaN" if not held_out else f"{2 * error:14.6E}"
        row = f" {epoch:5d}  {error:14.6E}  {error:14.6E}  {test:>14}  {test:>14} <"
        print(re.sub(r"\d\.\d{6}E.\d\d", "NaN", row) if wish == "nan" else row, flush=True)
        for element, name, *_ in given["NETWORKS"]:
            start = Path(f"{name}.start").read_bytes()
            if epoch:
                Path(f"{name}-{epoch:05d}").write_bytes(network(element, start, energies))
        time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))
    if wish != "silent":
        print("\n Training finished.\n")


def predict() -> None:
    for (name,) in sections(sys.argv[2])["FILES"][1:]:
        atoms = [
            row for row in Path(name).read_text().splitlines() if re.match(r"[A-Z][a-z]? ", row)
        ]
        for row in atoms:
            element, x, y, z = row.split()[:4]
            where = "".join(f"{float(value):14.6f}" for value in (x, y, z))
            print(f" {element:2s}{where}      0.100000      0.200000     -0.300000")
        print(f"\n Cohesive energy            : {-1.0:20.8f} eV")
        print(f" Total energy               : {-2.0 * len(atoms):20.8f} eV\n")


wish = os.environ.get("STAND_IN", "")
with Path("calls.log").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\n")
{"generate.x": generate, "train.x": train, "predict.x": predict}[sys.argv[1]]()
