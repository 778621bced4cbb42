"""What is compiled ahead is what potentials of every family need."""

from __future__ import annotations

from typing import Any, cast

from mlmd.hdnnp import warm
from mlmd.hdnnp.kernel_atoms import evaluate_atoms


def test_every_family_is_compiled_ahead() -> None:
    warm()

    kernels = [tuple(map(str, s)) for s in cast(Any, evaluate_atoms).signatures]
    optional = {(compact != "none", chebyshev != "none") for _, compact, chebyshev, *_ in kernels}
    assert optional >= {(False, False), (True, False), (False, True)}
