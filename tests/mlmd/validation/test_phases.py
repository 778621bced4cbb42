"""Other crystals in the data are told from strained ones, and their order is compared."""

import numpy as np
import pytest
from ase.build import bulk

from mlmd.data import silicon_frames
from mlmd.validation.phases import check_phases, find_phases
from mlmd.validation.subject import Skipped, Subject
from tests.mlmd.validation.calculators import Morse, frame_of

FCC = 3.643
BCC = np.linspace(2.83, 2.95, 4)


class Reversed(Morse):
    """Prefers few neighbours at short distance: the order of crystals is turned around."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        atoms = self.atoms
        if len(atoms) == 1 and abs(atoms.cell.cellpar()[3] - 109.47) < 1:
            self.results["energy"] -= 0.5


def subject(calculator=None, extra=()):
    frames = [frame_of(bulk("Cu", a=a), Morse(), "fcc") for a in (3.6, FCC, 3.7)]
    frames += [frame_of(bulk("Cu", "bcc", a=a), Morse(), "bcc") for a in BCC]
    return Subject(calculator or Morse(), ("Cu",), 6.5, frames=[*frames, *extra])


def check(one):
    (crystal,) = one.found.crystals
    return check_phases(one, one.relaxed(crystal))


def test_the_other_crystal_stands_above_the_ground_state():
    findings = check(subject())
    (value,) = findings.values
    assert value.subject == "Cu (Im-3m)"
    lowest = [
        min(subject().energy(atoms) / len(atoms) for atoms in atoms_of_phase)
        for atoms_of_phase in (
            [bulk("Cu", a=a) for a in (3.6, FCC, 3.7)],
            [bulk("Cu", "bcc", a=a) for a in BCC],
        )
    ]
    assert value.value == pytest.approx(1000 * (lowest[1] - lowest[0]))
    assert value.value == pytest.approx(value.reference)
    line, points = findings.plots[0].series
    assert len(points.x) == len(BCC)
    assert np.allclose(points.y, np.interp(points.x, line.x, line.y), atol=2e-3)
    assert not findings.notes


def test_a_wrong_order_is_said():
    findings = check(subject(Reversed()))
    assert findings.values[0].value < 0 < findings.values[0].reference
    assert "below Cu (Fm-3m)" in findings.notes[0]


def test_a_strained_crystal_is_no_other_phase():
    strained = []
    for stretch in (1.01, 1.02, 1.03):
        atoms = bulk("Cu", a=FCC, cubic=True)
        atoms.set_cell(atoms.cell * [[1], [1], [stretch]], scale_atoms=True)
        strained.append(frame_of(atoms, Morse(), "strain"))
    one = subject(extra=strained)
    (phase,) = find_phases(one.frames, one.found.crystals[0])
    assert {frame.kind for frame in phase.frames} == {"bcc"}


def test_one_relaxed_frame_is_enough():
    relaxed = min(
        (frame_of(bulk("Cu", "bcc", a=a), Morse()) for a in np.linspace(2.8, 3.0, 41)),
        key=lambda frame: frame.energy,
    )
    fcc = frame_of(bulk("Cu", a=FCC), Morse())
    pressed = frame_of(bulk("Cu", "bcc", a=2.6), Morse())
    for other, count in ((relaxed, 1), (pressed, 0)):
        one = Subject(Morse(), ("Cu",), 6.5, frames=[fcc, other])
        assert len(find_phases(one.frames, one.found.crystals[0])) == count


def test_strained_and_shaken_silicon_has_no_other_phases():
    one = Subject(Morse(), ("Si",), 6.5, frames=silicon_frames())
    (crystal,) = one.found.crystals
    assert not find_phases(one.frames, crystal)


def test_data_of_one_crystal_alone_are_skipped():
    one = Subject(Morse(), ("Cu",), 6.5, frames=[frame_of(bulk("Cu", a=FCC), Morse())])
    with pytest.raises(Skipped, match="no other crystal"):
        check(one)
