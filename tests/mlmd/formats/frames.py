"""Frames for the tests of formats: made by hand and by Hypothesis, and how to compare them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlmd.frame import Calculation, Frame

_finite = st.floats(-1e4, 1e4, allow_nan=False, allow_infinity=False)
_energy = st.floats(-1e6, 1e6, allow_nan=False)
_text = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20
)


def differences(a: Frame, b: Frame, skip: tuple[str, ...] = ()) -> list[str]:
    """Names of the fields that are not exactly equal."""
    found = []
    for field in fields(Frame):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name in skip:
            continue
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            same = left is not None and right is not None and np.array_equal(left, right)
        else:
            same = left == right
        if not same:
            found.append(f"{field.name}: {left!r} != {right!r}")
    return found


def silicon(**changes: Any) -> Frame:
    """Two atoms of silicon with every label."""
    values: dict[str, Any] = {
        "numbers": np.array([14, 14], np.uint8),
        "positions": np.array([[0.1, 0.0, 0.0], [1.3575, 1.3575, 1.3575]]),
        "cell": np.array([[0.0, 2.715, 2.715], [2.715, 0.0, 2.715], [2.715, 2.715, 0.0]]),
        "energy": -10.5,
        "energy_sigma0": -10.49,
        "forces": np.array([[0.1, -0.2, 0.3], [-0.1, 0.2, -0.3]]),
        "stress": np.array([[0.01, 0.002, 0.0], [0.002, 0.02, 0.001], [0.0, 0.001, -0.03]]),
        "label_source": "ab initio",
        "scf_converged": True,
        "kind": "strain",
        "calculation": Calculation(code="vasp", functional="PBE", cutoff_energy=400.0),
    }
    return Frame(**(values | changes))


@st.composite
def calculations(draw: st.DrawFn) -> Calculation:
    """Any calculation, with text in any script."""
    return Calculation(
        code=draw(st.sampled_from(["vasp", "espresso", "unknown"])),
        version=draw(_text),
        functional=draw(st.sampled_from(["PBE", "", "HSE06"])),
        hubbard_u=draw(st.dictionaries(st.sampled_from(["Fe", "O"]), st.floats(0, 10))),
        cutoff_energy=draw(st.none() | st.floats(10, 2000)),
        k_points=draw(st.none() | st.tuples(*[st.integers(1, 20)] * 3)),
        charge=draw(st.floats(-5, 5)),
        spin=draw(st.sampled_from(["none", "collinear", "spin-orbit"])),
        source_name=draw(_text),
        settings=draw(st.dictionaries(st.text(min_size=1, max_size=5), st.integers() | _text)),
    )


@st.composite
def labelled_frames(draw: st.DrawFn) -> Frame:
    """Any frame that a document can hold."""
    n = draw(st.integers(1, 6))
    cell = np.diag(draw(arrays(np.float64, 3, elements=st.floats(2, 50)))) + draw(
        arrays(np.float64, (3, 3), elements=st.floats(-0.5, 0.5))
    )
    pbc = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    if not any(pbc) and draw(st.booleans()):
        cell = np.zeros((3, 3))

    def maybe(shape: tuple[int, ...], elements: Any = _finite, dtype: Any = np.float64) -> Any:
        return draw(st.none() | arrays(dtype, shape, elements=elements))

    energy = draw(st.none() | _energy)
    return Frame(
        numbers=draw(arrays(np.uint8, n, elements=st.integers(1, 118))),
        positions=draw(arrays(np.float64, (n, 3), elements=_finite)),
        cell=cell,
        pbc=pbc,
        energy=energy,
        energy_sigma0=None if energy is None else draw(st.none() | _energy),
        forces=maybe((n, 3)),
        stress=maybe((3, 3)),
        magnetic_moments=maybe((n,)),
        fixed=maybe((n, 3), st.booleans(), np.bool_),
        ionic_step=draw(st.integers(0, 10**6)),
        label_source=draw(st.sampled_from(["ab initio", "ml", "none"])),
        scf_converged=draw(st.none() | st.booleans()),
        kind=draw(_text),
        flags=tuple(draw(st.lists(st.sampled_from(["new-basis", "x"]), max_size=2))),
        calculation=draw(calculations()),
    )
