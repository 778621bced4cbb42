"""Weights of kinds of frames, as a person writes them."""

from __future__ import annotations

from mlmd.errors import InvalidInput

LARGEST_WEIGHT = 1000.0


def parse_kind_weights(text: str) -> dict[str, float]:
    """Read ``kind = weight``, one to a line.

    Raises:
        InvalidInput: a line is something else, names a kind twice, or its weight is no number
            from 0 to 1000.
    """
    weights: dict[str, float] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"training settings: kind_weights, line {number}"
        kind, sign, value = (part.strip() for part in line.rpartition("="))
        if not sign or not kind:
            raise InvalidInput(where, repr(line.strip()), "kind = weight, for example liquid = 0.5")
        if kind in weights:
            raise InvalidInput(where, f"{kind!r} again", "every kind once")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if not 0.0 <= weight <= LARGEST_WEIGHT:
            raise InvalidInput(where, repr(value), f"a number from 0 to {LARGEST_WEIGHT:g}")
        weights[kind] = weight
    return weights
