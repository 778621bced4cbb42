"""Settings of other programs' trainings: what our own engine has, too, keeps name and limits."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from mlmd.hdnnp.training import TrainingSettings


def shared_field(name: str) -> Any:
    """Return the field of our own engine's settings: the same word means the same."""
    ours = TrainingSettings.__dataclass_fields__[name]
    return field(default=ours.default, metadata=ours.metadata)
