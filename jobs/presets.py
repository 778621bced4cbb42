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


PLACEHOLDERS = ("GROUP", "USER")
"""Parts of proposed paths that a person replaces; a cluster with them is refused."""

_FILES = "/work"  # the file system that compute nodes see; they don't see the home folders
_WISTERIA = {
    "host": "wisteria.cc.u-tokyo.ac.jp",
    "port": 22,
    "scheduler": "pjm",
    "work_dir": f"{_FILES}/GROUP/USER/portal",
    "container": "singularity",
    "setup": "module load singularity",
    "directives": "-L jobenv=singularity",  # containers start only in this job environment
    "mpi": "mpiexec -n {processes}",
    "poll_interval_s": 30,
}
_CODES = (
    "mlmd @ {files}/GROUP/USER/{machine}/mlmd.sif = mlmd\n"
    "pw.x @ {files}/GROUP/USER/{machine}/quantum-espresso.sif = pw.x"
)

# Resource groups and limits of Wisteria/BDEC-01 as published in 2026; the centre's own list is
# https://www.cc.u-tokyo.ac.jp/supercomputer/wisteria/service/job.php and may have changed since.
# Small groups come first: a run takes the first that it fits in. What a project may
# run at once depends on it (`pjstat --limit`).
PRESETS = {
    "slurm": Preset(_("Slurm"), {"scheduler": "slurm", "port": 22}),
    "pbs": Preset(_("PBS"), {"scheduler": "pbs", "port": 22}),
    "wisteria-o": Preset(
        _("Wisteria-O (Odyssey)"),
        {
            **_WISTERIA,
            "name": "Wisteria-O",
            "queues": (
                "short-o nodes=72 cores=48 memory=28 hours=8\n"
                "regular-o nodes=1152 cores=48 memory=28 hours=48\n"
                "regular-o nodes=2304 cores=48 memory=28 hours=24\n"
                "debug-o nodes=144 cores=48 memory=28 hours=0.5"
            ),
            "recipes": _CODES.format(files=_FILES, machine="odyssey"),
        },
    ),
    "wisteria-a": Preset(
        _("Wisteria-A (Aquarius)"),
        {
            **_WISTERIA,
            "name": "Wisteria-A",
            # A GPU of a shared node brings 9 cores and 56 GiB.
            "queues": (
                "share-short nodes=1 cores=9 gpus=1 memory=56 hours=2\n"
                "share-short nodes=1 cores=36 gpus=4 memory=224 hours=2\n"
                "share nodes=1 cores=18 gpus=2 memory=112 hours=48\n"
                "share nodes=1 cores=36 gpus=4 memory=224 hours=24\n"
                "short-a nodes=2 cores=72 gpus=8 memory=448 hours=2\n"
                "regular-a nodes=4 cores=72 gpus=8 memory=448 hours=48\n"
                "regular-a nodes=8 cores=72 gpus=8 memory=448 hours=24\n"
                "debug-a nodes=1 cores=72 gpus=8 memory=448 hours=0.5"
            ),
            "recipes": _CODES.format(files=_FILES, machine="aquarius"),
        },
    ),
    "ssh": Preset(
        _("A machine without a scheduler"), {"scheduler": "direct", "port": 22, "cores": 1}
    ),
}
