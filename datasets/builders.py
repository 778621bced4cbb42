"""The structure builders that pages and API offer: one line in the registry each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ase import Atoms


@dataclass(frozen=True)
class Builder:
    """A way to make a structure.

    Args:
        needs_parent: whether it changes an existing structure.
        build: parent or None, settings → atoms.
        name: parent's name, settings → a name for the result.
    """

    needs_parent: bool
    build: Callable[[Atoms | None, dict[str, Any]], Atoms]
    name: Callable[[str, dict[str, Any]], str]


BUILDERS: Mapping[str, Builder] = {}
