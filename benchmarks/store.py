"""How many frames a second are stored: rows, columns and documents, in a database of its own.

    python benchmarks/store.py [--atoms 64] [--frames 10000]

Uses SQLite in a temporary folder, or the empty database that DATABASE_URL names. Frames are prepared
first, as the parser's child process does beside the writer; only storing is timed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CHUNK = 2000  # as `datasets.services.parsing` stores them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=64)
    parser.add_argument("--frames", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLMD_VAR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        seconds = store(options.atoms, options.frames // CHUNK)
    for name, value in (("median", np.median(seconds)), ("slowest", max(seconds))):
        print(f"{name} chunk of {CHUNK} frames: {value:.3f} s, {CHUNK / value:,.0f} frames/s")


def store(atoms: int, chunks: int) -> list[float]:
    """Store chunks of frames, each in its transaction, and return the seconds of each."""
    from django.db import transaction

    from datasets.models import Dataset
    from datasets.parser.records import packed_frame
    from datasets.services.frames import calculation_ensure, packed_insert
    from labs.models import Lab, User
    from mlmd.documents import calculation_to_document
    from mlmd.frame import Calculation, Frame

    random, side = np.random.default_rng(1), (20.0 * atoms) ** (1 / 3)
    frames = [
        packed_frame(
            Frame(
                numbers=np.full(atoms, 14, np.uint8),
                positions=random.random((atoms, 3)) * side,
                cell=np.eye(3) * side,
                pbc=(True, True, True),
                energy=-5.0 * atoms,
                forces=random.normal(size=(atoms, 3)),
                stress=np.eye(3) * 0.01,
            )
        )
        for _ in range(CHUNK)
    ]
    owner = User.objects.create_user("benchmark@example.org", None)
    dataset = Dataset.objects.create(owner=owner, lab=Lab.objects.create(name="B"), name="B")
    digest = frames[0].calculation
    document = calculation_to_document(Calculation())
    calculations = {digest: calculation_ensure(dataset.pk, digest, document)}
    seconds = []
    for _ in range(chunks):
        start = time.perf_counter()
        with transaction.atomic():
            packed_insert(dataset.pk, None, None, frames, calculations)
        seconds.append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    main()
