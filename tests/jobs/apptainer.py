"""A container runtime for tests: runs the program as it is, and is as strict as the real one.

It refuses what Apptainer would refuse in a generated call (unknown options, an image or a folder
that isn't there, a program outside of what it can see), and notes each call.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PROGRAM = r"""
import os, sys
words = sys.argv[1:]
if words == ["--version"]:
    print("apptainer version 1.4.0")
    sys.exit(0)
if not words or words.pop(0) != "exec":
    sys.exit("FATAL: only exec is known here")
binds = []
while words and words[0].startswith("--"):
    name, _, value = words.pop(0).partition("=")
    if name == "--bind":
        binds.append(value)
    elif name not in ("--nv", "--no-home"):
        sys.exit(f"FATAL: unknown flag: {name}")
image = words.pop(0)
if not os.path.isfile(image):
    sys.exit(f"FATAL: could not open image {image}")
for folder in binds:
    if not os.path.isdir(folder):
        sys.exit(f"FATAL: mount source {folder} doesn't exist")
here = os.getcwd()
if not any(here == f or here.startswith(f.rstrip("/") + "/") for f in binds):
    sys.exit(f"FATAL: {here} is not seen inside")
with open(os.path.join(os.path.dirname(image), "calls"), "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\n")
os.environ["IN_CONTAINER"] = image
os.execvp(words[0], words)
"""


def write_runtime(folder: Path, name: str = "apptainer") -> None:
    """Write the runtime into a folder for the PATH of an account.

    Args:
        folder: where it goes.
        name: ``apptainer`` or ``singularity``.
    """
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{_PROGRAM.lstrip()}")
    path.chmod(0o755)


def make_image(folder: Path) -> Path:
    """Return an image that the runtime takes."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "image.sif"
    image.write_bytes(b"")
    return image
