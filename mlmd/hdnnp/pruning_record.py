"""What became of symmetry functions as JSON: each as its line of ``input.nn``, lengths in Å."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.hdnnp.automatic import function_lines
from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.pruning import Dropped, ElementPruning, Pruning, Reason, Selection
from mlmd.hdnnp.symmetry import FUNCTION_KINDS


def pruning_record(pruning: Pruning) -> dict[str, Any]:
    """Return a pruning in JSON's own types."""
    return {
        "selection": pruning.selection.value,
        "correlation_limit": pruning.correlation_limit,
        "frames": pruning.frames,
        "elements": [
            {
                "element": part.element,
                "atoms": part.atoms,
                "kept": [_line(function) for function in part.kept],
                "dropped": [
                    {
                        "function": _line(item.function),
                        "reason": item.reason.value,
                        "like": item.like and _line(item.like),
                        "correlation": round(item.correlation, 6),
                    }
                    for item in part.dropped
                ],
            }
            for part in pruning.elements
        ],
    }


def read_pruning(record: Mapping[str, Any], where: str) -> Pruning:
    """Return the pruning of a record.

    Args:
        record: what `pruning_record` gave.
        where: how errors name it.

    Raises:
        InvalidInput: something is missing or wrong.
    """
    try:
        return Pruning(
            Selection(record["selection"]),
            float(record["correlation_limit"]),
            int(record["frames"]),
            tuple(_read_element(part) for part in record["elements"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            where, f"entries that don't fit ({error})", "symmetry functions, kept and dropped"
        ) from error


def _read_element(part: Mapping[str, Any]) -> ElementPruning:
    element = part["element"]
    return ElementPruning(
        element,
        int(part["atoms"]),
        tuple(_function(line) for line in part["kept"]),
        tuple(
            Dropped(
                _function(item["function"]),
                Reason(item["reason"]),
                item["like"] and _function(item["like"]),
                float(item["correlation"]),
            )
            for item in part["dropped"]
        ),
    )


def _line(function: SymmetryFunction) -> str:
    return function_lines({function.center: (function,)})


def _function(line: str) -> SymmetryFunction:
    _keyword, center, kind, *words = line.split()
    return FUNCTION_KINDS[int(kind)].parse(f"symmetry function {line!r}", center, words)
