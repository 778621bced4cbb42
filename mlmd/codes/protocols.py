"""How hard a calculation tries, and the settings that follow from it, the same for every code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

from mlmd.errors import InvalidInput
from mlmd.settings import from_mapping

S = TypeVar("S")


class Protocol(StrEnum):
    """How hard to try."""

    FAST = "fast"
    MODERATE = "moderate"
    PRECISE = "precise"


def about(label: str, help: str, **more: Any) -> dict[str, Any]:
    """Return a field's metadata for `mlmd.settings`; all of a code's settings are for experts."""
    return {"label": label, "help": help, "expert": True, **more}


@dataclass(frozen=True)
class Presets(Generic[S]):
    """The protocols of one code.

    Args:
        settings: frozen dataclass whose fields describe themselves (`mlmd.settings`).
        where: names the settings in errors.
        values: protocol → the settings that it decides.
    """

    settings: type[S]
    where: str
    values: Mapping[Protocol, Mapping[str, Any]]

    @property
    def fields(self) -> frozenset[str]:
        """Names of the settings that a protocol decides."""
        return frozenset(name for preset in self.values.values() for name in preset)

    def __call__(self, protocol: Protocol | str, **changes: Any) -> S:
        """Return the settings of a protocol, some of them changed.

        Raises:
            InvalidInput: there is no such protocol or setting, or a value is wrong.
        """
        try:
            preset = self.values[Protocol(protocol)]
        except ValueError:
            raise InvalidInput(
                f"{self.where}: protocol", repr(protocol), f"one of {', '.join(Protocol)}"
            ) from None
        known = {item.name for item in fields(cast(Any, self.settings))}
        if changes.keys() - known:
            return from_mapping(self.settings, changes, self.where)  # says which one is unknown
        started = replace(cast(Any, self.settings()), **preset)
        values = {name: getattr(started, name) for name in known}
        return from_mapping(self.settings, values | changes, self.where)
