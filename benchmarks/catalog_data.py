"""Makes a catalog of many varied frames, for `benchmarks/catalog.py`.

Frames are small (2 to 12 atoms) and go through the site's own bulk writer. Each dataset has a few
dozen real documents; the frames made from one share its atoms and differ in every measure.
"""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

CHUNK = 2000
TEMPLATES = 40
ELEMENTS = (1, 3, *range(5, 10), *range(11, 18), *range(19, 36), *range(37, 43), 47, 50, 55, 56)
LEVELS = (
    ("vasp", "PBE", "", 520.0, "none"),
    ("vasp", "PBE", "D3(BJ)", 400.0, "none"),
    ("vasp", "PBEsol", "", 520.0, "collinear"),
    ("vasp", "r2SCAN", "", 680.0, "collinear"),
    ("espresso", "PBE", "", 816.3, "none"),
    ("espresso", "BLYP", "D2", 1088.5, "none"),
    ("espresso", "PBE", "", 544.2, "collinear"),
)
KINDS = ("liquid", "bulk", "surface", "defect", "strained", "amorphous", "")
LICENCES = ("CC-BY-4.0", "CC0-1.0", "", "CC-BY-SA-4.0")
PARTS = ("train", "train", "train", "validation", "test")
VISIBILITIES = ("public", "public", "lab", "private")


def make(frames: int, datasets: int = 64) -> Any:
    """Fill an empty database; return whose pages are timed, a member of one of six labs."""
    from labs.models import Lab, Membership, User

    random = np.random.default_rng(7)
    labs = [Lab.objects.create(name=f"Laboratory {i + 1}") for i in range(6)]
    people = [User.objects.create_user(f"person{i + 1}@example.org", None) for i in range(12)]
    for i, person in enumerate(people):
        Membership.objects.create(user=person, lab=labs[i % len(labs)], role="member")
    # Sizes of datasets differ by orders of magnitude, as real ones do.
    shares = random.dirichlet(np.full(datasets, 0.7))
    sizes = np.maximum((shares * frames).astype(int), 20)
    sizes[int(sizes.argmax())] += frames - int(sizes.sum())
    start, done = time.perf_counter(), 0
    for index, size in enumerate(sizes.tolist()):
        place = int(random.integers(len(people)))
        _dataset(random, index, size, people[place], labs[place % len(labs)])
        done += size
        rate = done / (time.perf_counter() - start)
        print(f"\r{done:,} frames, {rate:,.0f}/s ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return people[0]


def _dataset(random: Any, index: int, size: int, owner: Any, lab: Any) -> None:
    from django.db import transaction
    from django.utils import timezone

    from datasets.models import Dataset, Frame
    from datasets.services.frames import element_sets_ensure, packed_insert
    from datasets.services.versions import dataset_summarise, draft_ensure

    dataset = Dataset.objects.create(
        owner=owner,
        lab=lab,
        visibility=VISIBILITIES[index % 4],
        name=f"Collection {index + 1} of {KINDS[index % 6]} phases",
        description=f"Computed for project {index % 9}",
        licence=LICENCES[index // 4 % 4],
    )
    draft_ensure(dataset)
    templates, calculations = _templates(random, dataset)
    for chunk, start in enumerate(range(0, size, CHUNK)):
        picks = random.integers(len(templates), size=min(CHUNK, size - start)).tolist()
        batch = [_varied(random, templates[pick]) for pick in picks]
        day = timezone.now() - timedelta(days=int(random.integers(700)))
        with transaction.atomic():
            keys = packed_insert(dataset.pk, None, 1, batch, calculations)
            Frame.objects.filter(pk__range=(keys[0], keys[-1])).update(
                created_at=day, split=PARTS[chunk % 5] if index % 2 else ""
            )
            gone = [key for key in keys if random.random() < 0.01]
            Frame.objects.filter(pk__in=gone).update(removed_in=1)
    with transaction.atomic():
        element_sets_ensure(Frame.objects.filter(dataset=dataset))
        dataset_summarise(dataset)


def _templates(random: Any, dataset: Any) -> tuple[list[Any], dict[str, int]]:
    """Return packed frames with real atoms, and the dataset's calculations by their digest."""
    from datasets.parser.records import packed_frame
    from datasets.services.frames import calculation_ensure
    from mlmd.documents import calculation_to_document
    from mlmd.frame import Calculation, Frame

    species = random.choice(ELEMENTS, size=int(random.integers(1, 6)), replace=False)
    levels = random.choice(len(LEVELS), size=int(random.integers(1, 4)), replace=False)
    packed, calculations = [], {}
    for number in range(TEMPLATES):
        code, functional, dispersion, cutoff, spin = LEVELS[levels[number % len(levels)]]
        calculation = Calculation(
            code=code,
            functional=functional,
            dispersion=dispersion,
            cutoff_energy=cutoff,
            spin=spin,
            k_points=(int(random.integers(1, 5)),) * 3,
            source_name=f"run{number % 8}.xml",
            hubbard_u={"Fe": 4.0} if 26 in species and number % 2 else {},
            settings={"IBRION": 0, "NSW": 100} if number % 2 else {"calculation": "scf"},
        )
        atoms = int(random.integers(2, 13))
        frame = Frame(
            numbers=np.sort(random.choice(species, size=atoms)).astype(np.uint8),
            positions=random.random((atoms, 3)) * 6.0,
            cell=np.eye(3) * random.uniform(5.0, 8.0),
            pbc=(True, True, True),
            energy=float(-4.0 * atoms + random.normal()),
            forces=random.normal(size=(atoms, 3)),
            stress=np.diag(random.normal(size=3)) * 0.01 if number % 3 else None,
            label_source="ab initio" if number % 13 else "ml",
            scf_converged=(True, True, True, False, None)[number % 5],
            kind=KINDS[int(random.integers(len(KINDS)))],
            calculation=calculation,
        )
        packed.append(packed_frame(frame))
        document = calculation_to_document(calculation)
        digest = packed[-1].calculation
        calculations[digest] = calculation_ensure(dataset.pk, digest, document)
    return packed, calculations


def _varied(random: Any, template: Any) -> Any:
    """Return the template with measures of its own."""
    shift, force, distance, pressure = random.normal(size=4).tolist()
    columns, mark = vars(template.columns), hashlib.sha256(random.bytes(16)).hexdigest()
    atoms = columns["n_atoms"]
    energy = columns["energy"] + 0.1 * shift * atoms
    measures = {
        "energy": energy,
        "energy_per_atom": energy / atoms,
        "max_force": abs(force) * 3.0,
        "shortest_distance": 1.6 + 0.3 * distance,
        "pressure": None if columns["pressure"] is None else 10.0 * pressure,
        "volume_per_atom": columns["volume_per_atom"] * (1.0 + 0.02 * pressure),
        "structure_hash": mark,
        "label_identity": mark[::-1],
    }
    return replace(template, columns=type(template.columns)(**{**columns, **measures}))
