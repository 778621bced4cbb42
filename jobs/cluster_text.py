"""Queues and code recipes as lines of text that people edit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from labs.exceptions import Refused

_NAME = re.compile(r"[\w.+:@-]+")
_LIMITS = {
    "nodes": int,
    "cores": int,
    "gpus": int,
    "memory": float,
    "hours": float,
    "jobs": int,
    "array": int,
}
_RECIPE = re.compile(r"(?P<code>[\w.+-]+)(?:\s+@\s+(?P<image>\S+))?\s+=\s+(?P<command>.+)")


def queues_to_text(queues: Sequence[Mapping[str, Any]]) -> str:
    """Return one line a queue: ``name nodes=24 hours=8``."""
    return "\n".join(
        " ".join(
            [
                entry["name"],
                *(f"{name}={entry[name]:g}" for name in _LIMITS if entry.get(name) is not None),
            ]
        )
        for entry in queues
    )


def queues_from_text(text: str) -> list[dict[str, Any]]:
    """Read such lines.

    Raises:
        Refused: with the line that can't be read.
    """
    queues = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, *limits = line.split()
        entry: dict[str, Any] = {"name": name}
        try:
            for limit in limits:
                word, _equals, value = limit.partition("=")
                entry[word] = _LIMITS[word](value)
                if entry[word] < 0:
                    raise ValueError(value)
        except (KeyError, ValueError):
            raise Refused(
                _("Queue “%(line)s”: write “name nodes=24 cores=48 gpus=0 memory=28 hours=8”.")
                % {"line": line}
            ) from None
        if not _NAME.fullmatch(name):
            raise Refused(_("“%(name)s” can't be the name of a queue.") % {"name": name})
        queues.append(entry)
    return queues


def recipes_to_text(recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one line a code: ``pw.x = pw.x -nk 2`` or ``pw.x @ /group/qe.sif = pw.x``."""
    return "\n".join(
        f"{code}{' @ ' + entry['image'] if entry.get('image') else ''} = {shlex.join(entry['argv'])}"
        for code, entry in sorted(recipes.items())
    )


def recipes_from_text(
    text: str, before: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Read such lines; what they can't say (environment, set-up) is kept from `before`.

    Raises:
        Refused: with the line that can't be read.
    """
    recipes = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _RECIPE.fullmatch(line)
        try:
            words = shlex.split(match["command"]) if match else []
        except ValueError:
            words = []
        if match is None or not words:
            raise Refused(
                _("Recipe “%(line)s”: write “code = command”, or “code @ image.sif = command”.")
                % {"line": line}
            )
        kept = {k: v for k, v in before.get(match["code"], {}).items() if k != "image"}
        recipes[match["code"]] = {**kept, "argv": words}
        if match["image"]:
            recipes[match["code"]]["image"] = match["image"]
    return recipes
