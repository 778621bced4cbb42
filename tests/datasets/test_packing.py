"""What is stored of a frame is the frame, bit by bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.packing import (
    calculation_digest,
    frame_digest,
    pack_atoms,
    pack_frame,
    unpack_atoms,
    unpack_frame,
)
from datasets.parser.records import packed_frame
from mlmd.errors import InvalidInput
from mlmd.frame import Calculation, Frame
from mlmd.structure import build_bulk
from tests.datasets.factories import LEVEL, make_frame

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def any_frame(draw: st.DrawFn) -> Frame:
    n = draw(st.integers(1, 6))

    def array(*shape: int) -> np.ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(finite, min_size=size, max_size=size))).reshape(shape)

    maybe = st.booleans()
    numbers = draw(st.lists(st.integers(1, 118), min_size=n, max_size=n))
    return Frame(
        numbers=np.array(numbers, dtype=np.uint8),
        positions=array(n, 3),
        cell=array(3, 3),
        pbc=tuple(draw(st.tuples(maybe, maybe, maybe))),
        energy=draw(st.none() | finite),
        energy_sigma0=draw(st.none() | finite),
        forces=array(n, 3) if draw(maybe) else None,
        stress=array(3, 3) if draw(maybe) else None,
        magnetic_moments=array(n) if draw(maybe) else None,
        fixed=np.array(draw(st.lists(maybe, min_size=3 * n, max_size=3 * n))).reshape(n, 3)
        if draw(maybe)
        else None,
        ionic_step=draw(st.integers(0, 10**6)),
        label_source=draw(st.sampled_from(["ab initio", "ml", "none"])),
        scf_converged=draw(st.none() | maybe),
        kind=draw(st.text(max_size=20)),
        flags=tuple(draw(st.lists(st.text(max_size=8), max_size=3))),
    )


def equal(a: Frame, b: Frame) -> bool:
    for field in fields(Frame):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, np.ndarray):
            if not (isinstance(y, np.ndarray) and x.tobytes() == y.tobytes()):
                return False
        elif x != y:
            return False
    return True


@settings(max_examples=150, deadline=None)
@given(any_frame())
def test_unpacking_gives_back_every_bit(frame):
    assert equal(unpack_frame(pack_frame(frame)), frame)


def test_a_cut_frame_is_not_taken_for_a_whole_one():
    packed = pack_frame(make_frame())
    with pytest.raises(InvalidInput, match="cut inside"):
        unpack_frame(packed[:-1])
    with pytest.raises(InvalidInput, match="unknown leading bytes"):
        unpack_frame(b"????" + packed[4:])


def test_an_unpacked_array_can_be_changed_without_touching_the_store():
    packed = pack_frame(make_frame())
    unpack_frame(packed).positions[:] = 0.0
    assert unpack_frame(packed).positions.any()


def test_structures_come_back_with_cell_and_periodicity():
    atoms = build_bulk(["Si"])
    atoms.pbc = (True, True, False)
    back = unpack_atoms(pack_atoms(atoms))
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert np.array_equal(back.positions, atoms.positions)
    assert back.pbc.tolist() == [True, True, False]


def test_the_document_hash_sees_every_label_and_the_calculation():
    frame, digest = make_frame(), calculation_digest(LEVEL)
    base = frame_digest(pack_frame(frame), digest)
    moved = make_frame(forces=frame.forces + np.array([[0.0, 0.0, 1e-15], [0.0, 0.0, 0.0]]))
    other = calculation_digest(Calculation(code="vasp"))
    assert frame_digest(pack_frame(moved), digest) != base
    assert frame_digest(pack_frame(frame), other) != base
    assert frame_digest(pack_frame(make_frame()), digest) == base


def test_columns_say_what_the_arrays_hold():
    frame = make_frame(numbers=(14, 8, 8))
    columns = packed_frame(frame).columns
    assert columns.elements_key == "|O|Si|"
    assert columns.formula == "O2Si"
    assert columns.n_atoms == 3
    assert columns.energy_per_atom == pytest.approx(frame.energy / 3)
    assert columns.max_force == pytest.approx(np.linalg.norm(frame.forces, axis=1).max())
    assert columns.volume_per_atom == pytest.approx(5.0 * 5.5 * 6.0 / 3)
    assert columns.compat_key == "espresso / PBE / 400 eV"
