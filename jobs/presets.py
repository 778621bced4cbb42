"""What is usually so at known clusters; a manager fills in the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


@dataclass(frozen=True)
class Preset:
    """Proposed values of the form for a new cluster."""

    title: _StrOrPromise
    values: dict[str, Any] = field(default_factory=dict)


PRESETS = {
    "slurm": Preset(_("Slurm"), {"scheduler": "slurm", "port": 22}),
    "pbs": Preset(_("PBS"), {"scheduler": "pbs", "port": 22}),
    # Resource groups and their limits: Wisteria/BDEC-01 user's guide; groups differ by project.
    "wisteria-o": Preset(
        _("Wisteria-O (Odyssey)"),
        {
            "name": "Wisteria-O",
            "host": "wisteria.cc.u-tokyo.ac.jp",
            "port": 22,
            "scheduler": "pjm",
            "queues": "short-o nodes=72 cores=48 hours=8\nregular-o nodes=2304 cores=48 hours=48",
            "container": "singularity",
            "directives": "-L jobenv=singularity",
            "poll_interval_s": 30,
        },
    ),
    "wisteria-a": Preset(
        _("Wisteria-A (Aquarius)"),
        {
            "name": "Wisteria-A",
            "host": "wisteria.cc.u-tokyo.ac.jp",
            "port": 22,
            "scheduler": "pjm",
            "queues": (
                "share-short nodes=1 cores=36 gpus=4 hours=2\n"
                "share nodes=1 cores=36 gpus=4 hours=48"
            ),
            "container": "singularity",
            "directives": "-L jobenv=singularity",
            "poll_interval_s": 30,
        },
    ),
    "ssh": Preset(
        _("A machine without a scheduler"), {"scheduler": "direct", "port": 22, "cores": 1}
    ),
}
