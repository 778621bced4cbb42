"""How long a dataset's survey takes: fingerprints, axes and places on the map, and the page's points.

    python benchmarks/frame_map.py [--atoms 64] [--frames 20000]

Frames are rattled crystals of seven elements. The database is SQLite in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

CRYSTALS = (("Si", 2.35), ("Cu", 2.55), ("Fe", 2.48), ("Mg", 3.2), ("Ce", 3.65), ("Zn", 2.66))
GENEROUS = 1e9  # s, in place of a slice


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=64)
    parser.add_argument("--frames", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLMD_VAR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        measure(options.atoms, options.frames)


def measure(atoms: int, count: int) -> None:
    """Store frames, survey them as a worker does, and ask for the points as a page does."""
    from datasets.maps import Colour, map_figure
    from datasets.models import DatasetSurvey, Frame
    from datasets.services import dataset_create, frames_insert
    from datasets.services.surveys import dataset_survey
    from labs.models import Lab, Membership, Role, User

    owner = User.objects.create(email="somebody@example.org", name="Somebody")
    lab = Lab.objects.create(name="Lab")
    Membership.objects.create(user=owner, lab=lab, role=Role.MEMBER)
    dataset = dataset_create(owner=owner, lab=lab, name="Frames")
    frames_insert(dataset=dataset, actor=owner, frames=rattled(2, atoms))
    dataset_survey(dataset_id=dataset.pk)  # compiles
    frames_insert(dataset=dataset, actor=owner, frames=rattled(count - 2, atoms), chunk=2000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = timed(lambda: dataset_survey(dataset_id=dataset.pk, slice_seconds=GENEROUS))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"survey of {count:,} frames: {seconds:.1f} s, {count / seconds:,.0f} frames/s")
    print(f"memory: at most {after / 1024:.0f} MB, {(after - before) / 1024:.0f} MB of it for this")
    survey = DatasetSurvey.objects.get(dataset=dataset)
    DatasetSurvey.objects.update(drawn_of=1)
    seconds = timed(lambda: dataset_survey(dataset_id=dataset.pk, slice_seconds=GENEROUS))
    print(f"axes and places anew, fingerprints kept: {seconds:.1f} s")
    current = Frame.objects.filter(dataset=dataset).current()
    seconds = timed(lambda: map_figure(current, Colour.ENERGY, survey.explained))
    print(f"points for the page: {1000 * seconds:.0f} ms")


def rattled(count: int, atoms: int) -> Iterator[Any]:
    """Yield crystals with displaced atoms."""
    from mlmd.frame import Calculation, Frame

    rng, calculation = np.random.default_rng(count), Calculation(code="vasp", functional="PBE")
    edge = round(atoms ** (1 / 3))
    grid = np.array(np.meshgrid(*[range(edge)] * 3)).reshape(3, -1).T[:atoms]
    from mlmd.elements import atomic_number

    for step in range(count):
        symbol, distance = CRYSTALS[step % len(CRYSTALS)]
        moved = rng.normal(size=(len(grid), 3)) * rng.uniform(0.02, 0.4)
        yield Frame(
            numbers=np.full(len(grid), atomic_number(symbol), np.uint8),
            positions=grid * distance + moved,
            cell=np.eye(3) * edge * distance,
            energy=float((moved**2).sum()),
            forces=-moved,
            calculation=calculation,
        )


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
