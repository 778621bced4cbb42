"""The kinds of symmetry functions, by n2p2's type number. A new kind: one file, one line here."""

from mlmd.hdnnp.symmetry.angular import ANGULAR_NARROW, ANGULAR_WIDE
from mlmd.hdnnp.symmetry.compact_angular import (
    COMPACT_NARROW,
    COMPACT_WEIGHTED_NARROW,
    COMPACT_WEIGHTED_WIDE,
    COMPACT_WIDE,
)
from mlmd.hdnnp.symmetry.compact_radial import COMPACT_RADIAL, COMPACT_WEIGHTED_RADIAL
from mlmd.hdnnp.symmetry.kind import FunctionKind
from mlmd.hdnnp.symmetry.radial import RADIAL
from mlmd.hdnnp.symmetry.weighted import WEIGHTED_ANGULAR, WEIGHTED_RADIAL

FUNCTION_KINDS: dict[int, FunctionKind] = {
    kind.number: kind
    for kind in (
        RADIAL,
        ANGULAR_NARROW,
        ANGULAR_WIDE,
        WEIGHTED_RADIAL,
        WEIGHTED_ANGULAR,
        COMPACT_RADIAL,
        COMPACT_NARROW,
        COMPACT_WIDE,
        COMPACT_WEIGHTED_RADIAL,
        COMPACT_WEIGHTED_NARROW,
        COMPACT_WEIGHTED_WIDE,
    )
}
