"""Which files of a run directory a kind asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def wanted(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path matches one of the glob patterns.

    ``*`` stays within one folder level, ``**`` spans any number of levels, and a pattern that
    names a folder means all that is in it.
    """
    parts = tuple(path.split("/"))
    return any(_matches(parts, tuple(pattern.strip("/").split("/"))) for pattern in patterns)


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return True  # the pattern named a folder above the file, or the file itself
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
