"""Does it help to train on the frames that a committee disagrees on?

    PYTHONPATH=. python benchmarks/active_learning.py [--rounds 3] [--threads 2] [--seed 1] [--heat]

A potential fitted to the bundled silicon data is the teacher, so that labels cost nothing. A committee
of four learns 60 rattled and strained crystals of 8 atoms, and runs 64 atoms at 2500 K for 4 ps, where
the crystal melts. Its candidates are labelled and added, three times over; as many frames drawn blindly
from the same run are the comparison in each round. With --heat a run is heated from 300 K instead, so that
part of it is known. Errors are of the forces on 25 frames of the teacher's own run at 2500 K.
Takes about four minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk

from mlmd.data import silicon_frames
from mlmd.formats.atoms import atoms_to_frame
from mlmd.frame import Frame
from mlmd.hdnnp.committee import load_members
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.md import DisagreementStop, Ensemble, MDSettings, Stage, StageKind, run
from mlmd.md.candidates import CANDIDATES_FILE, levels_of, read_candidates
from mlmd.notebook import train
from mlmd.trajectory import TrajectoryReader

TEMPERATURE, STEPS = 2500.0, 4000


class Comparison:
    """One teacher, and everything that is learnt from it in a folder."""

    def __init__(self, folder: Path, threads: int, seed: int, start: float) -> None:
        self.folder, self.threads, self.seed = folder, threads, seed
        quietly(silicon_frames(), folder / "teacher", threads, committee=1)
        self.teacher = load_potential(folder / "teacher" / "potential")
        self.evaluator = Evaluator(self.teacher, threads)
        self.large = bulk("Si", "diamond", a=5.4, cubic=True).repeat(2)
        self.start = TEMPERATURE
        self.dynamics("reference", (self.teacher,), 90 + seed, None)
        self.start = start
        self.test = self.frames("reference", range(21, 81, 2)[:25])

    def label(self, atoms: Atoms) -> Frame:
        """Return a frame with the teacher's energy and forces."""
        said = self.evaluator.compute(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
        return replace(
            atoms_to_frame(atoms),
            energy=said.energy,
            forces=said.forces,
            kind="taught",
            label_source="ab initio",
        )

    def dynamics(self, name: str, members: Sequence, seed: int, source: Path | None) -> None:
        """Run with the first member."""
        kind = StageKind.HOLD if self.start == TEMPERATURE else StageKind.HEAT
        stage = Stage(STEPS, kind, Ensemble.NVT_LANGEVIN, self.start, TEMPERATURE)
        settings = MDSettings(stages=(stage,), threads=self.threads, seed=seed)
        levels = levels_of(settings, source)
        watching = members if source is not None else ()
        with contextlib.suppress(DisagreementStop):
            run(
                settings,
                self.large,
                members[0],
                self.folder / name,
                stream=io.StringIO(),
                committee=watching,
                levels=levels,
            )

    def frames(self, name: str, chosen: Sequence[int]) -> list[Atoms]:
        """Return frames of a run."""
        with TrajectoryReader(self.folder / name / "trajectory.mtj") as reader:
            numbers = reader.numbers.astype(int)
            moments = [reader[index] for index in chosen]
        return [Atoms(numbers, m.positions, cell=m.cell, pbc=True) for m in moments]

    def learn(self, name: str, structures: Sequence[Atoms], committee: int = 4) -> float:
        """Train and return the error of the forces, meV/Å."""
        frames = [self.label(atoms) for atoms in structures]
        quietly(frames, self.folder / name, self.threads, committee=committee, stress_weight=0.0)
        found = Evaluator(load_potential(self.folder / name / "potential"), self.threads)
        errors = [
            found.compute(a.numbers, a.positions, a.cell.array, a.pbc).forces - self.label(a).forces
            for a in self.test
        ]
        found.close()
        return 1000 * float(np.sqrt(np.mean(np.square(errors))))

    def rounds(self, count: int) -> None:
        """Print a line for each training."""
        rng = np.random.default_rng(self.seed)
        known = first_frames(rng)
        print(f"{'first':24} {len(known):4} frames {self.learn('fit-0', known):8.1f} meV/Å")
        for number in range(1, count + 1):
            source = self.folder / f"fit-{number - 1}"
            name = f"md-{number}"
            self.dynamics(name, load_members(source), 10 * self.seed + number, source)
            found = read_candidates(self.folder / name)
            if found is None or not found.chosen:
                print("no candidates are left")
                return
            counts = f"{found.known} known, {found.between} between, {found.beyond} beyond"
            drawn = rng.choice(found.frames, len(found.chosen), replace=False)
            more = known + self.frames(name, sorted(drawn.tolist()))
            error = self.learn(f"drawn-{number}", more, committee=1)
            print(f"{f'drawn from round {number}':24} {len(more):4} frames {error:8.1f} meV/Å")
            known = known + ase.io.read(self.folder / name / CANDIDATES_FILE, ":")
            error = self.learn(f"fit-{number}", known)
            print(f"{f'round {number}':24} {len(known):4} frames {error:8.1f} meV/Å  ({counts})")


def quietly(frames: Sequence[Frame], folder: Path, threads: int, **changes: object) -> None:
    """Train without a word."""
    with contextlib.redirect_stdout(io.StringIO()):
        train(frames, folder, "quick", threads=threads, **changes)


def first_frames(rng: np.random.Generator) -> list[Atoms]:
    """Return what is known at first: crystals, strained and rattled."""
    crystal = bulk("Si", "diamond", a=5.4, cubic=True)
    found = []
    for _ in range(60):
        atoms = crystal.copy()
        atoms.set_cell(atoms.cell.array * (1 + rng.normal(0, 0.02)), scale_atoms=True)
        atoms.positions += rng.normal(0, rng.uniform(0.02, 0.2), atoms.positions.shape)
        found.append(atoms)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--heat", action="store_true", help="from 300 K instead of holding")
    arguments = parser.parse_args()
    start = 300.0 if arguments.heat else TEMPERATURE
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(Path(folder), arguments.threads, arguments.seed, start)
        comparison.rounds(arguments.rounds)


if __name__ == "__main__":
    main()
