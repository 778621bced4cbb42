"""Which frames of a dataset are for training, for validation and for testing.

A frame gets its part once, with the first published version that states a split, and keeps it in
every later version: what was a test can never slip into a training.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from labs.exceptions import Refused


class Part(StrEnum):
    """What a frame is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class SplitRequest:
    """How to split the frames that have no part yet.

    Args:
        validation: share for validation, 0 to below 1.
        test: share for testing, likewise.
        seed: of the draw; the same seed gives the same parts.
    """

    validation: float = 0.1
    test: float = 0.1
    seed: int = 1

    def check(self) -> None:
        """Raise `Refused` unless some frames stay for training."""
        shares = (self.validation, self.test)
        if not all(0 <= share < 1 for share in shares) or sum(shares) >= 1:
            raise Refused(
                _(
                    "%(validation)g %% for validation and %(test)g %% for testing can't be; "
                    "expected at least 0 %% each and less than 100 %% together."
                )
                % {"validation": 100 * self.validation, "test": 100 * self.test}
            )
        if not 0 <= self.seed < 2**31:
            raise Refused(_("The seed %d isn't possible; expected 0 to 2147483647.") % self.seed)


@dataclass(frozen=True)
class SplitFrame:
    """What the split looks at.

    Args:
        pk: of the row.
        kind: kind of configuration; each is split by itself.
        structure_hash: frames of one structure stay together.
        part: what it got before, or empty.
    """

    pk: int
    kind: str
    structure_hash: str
    part: str


@dataclass(frozen=True)
class StatedSplit:
    """The split as a version states it.

    Args:
        request: how frames new in this version were drawn.
        counts: frames per part.
        kinds: kind of configuration → frames per part.
        checksum: SHA-256 over document hash and part of every frame, in order.
    """

    request: SplitRequest
    counts: dict[str, int]
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    checksum: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any] | None) -> StatedSplit | None:
        if not values:
            return None
        return cls(
            SplitRequest(**values["request"]),
            dict(values["counts"]),
            dict(values["kinds"]),
            values["checksum"],
        )


def split_draw(frames: Iterable[SplitFrame], request: SplitRequest) -> dict[int, Part]:
    """Return the part of each frame that has none yet.

    Within each kind, structures are ordered by a hash of seed and structure; the first become
    the test, the next the validation, as many as bring the whole kind to its shares. A
    structure that has a part already, or occurs several times, gets one part only.
    """
    kinds: dict[str, dict[str, list[SplitFrame]]] = defaultdict(lambda: defaultdict(list))
    home: dict[str, str] = {}
    known: dict[str, str] = {}
    for frame in frames:
        kind = home.setdefault(frame.structure_hash, frame.kind)
        kinds[kind][frame.structure_hash].append(frame)
        if frame.part:
            known.setdefault(frame.structure_hash, frame.part)
    drawn: dict[int, Part] = {}
    for structures in kinds.values():
        drawn |= _draw_kind(structures, known, request)
    return drawn


def _draw_kind(
    structures: Mapping[str, list[SplitFrame]], known: Mapping[str, str], request: SplitRequest
) -> dict[int, Part]:
    total = sum(map(len, structures.values()))
    have = Counter(f.part for group in structures.values() for f in group if f.part)
    wanted = {
        Part.TEST: round(request.test * total),
        Part.VALIDATION: round(request.validation * total),
    }
    drawn: dict[int, Part] = {}
    order = sorted(
        structures, key=lambda s: hashlib.sha256(f"{request.seed} {s}".encode()).digest()
    )
    # Structures with a part go first: their new copies count before others are drawn.
    for structure in sorted(order, key=lambda s: s not in known):
        fresh = [frame for frame in structures[structure] if not frame.part]
        if structure in known:
            part = Part(known[structure])
        else:
            part = next((p for p, n in wanted.items() if have[p] + len(fresh) <= n), Part.TRAIN)
        have[part] += len(fresh)
        drawn |= {frame.pk: part for frame in fresh}
    return drawn
