"""Feeds the 3D player with frames of a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from datasets.viewer import viewer_payload
from labs.exceptions import Refused
from mlmd.md.candidates import CANDIDATES_FILE, read_candidates
from potentials.disagreement import candidate_atoms
from potentials.trajectories import frame_atoms, open_trajectory

MOST_FRAMES = 400  # of a player; longer trajectories are shown with a stride


def candidates_payload(
    folder: Path, *, title: str, url: str, frame: int | None = None
) -> dict[str, Any]:
    """Return the JSON of the 3D view for one of the frames that a run put aside.

    Arguments and errors are those of `player_payload`.
    """
    found = read_candidates(folder)
    path = folder / CANDIDATES_FILE
    if found is None or not path.is_file():
        raise Refused(_("The run has put no frames aside yet."))
    number = frame or 0
    if not 0 <= number < len(found.chosen):
        raise Refused(_("There is no candidate %(number)s.") % {"number": number})
    candidate = found.chosen[number]
    payload = viewer_payload(
        candidate_atoms(path, number),
        title=_("%(name)s, %(time).4g ps") % {"name": title, "time": candidate.time_ps},
        frames=len(found.chosen),
        frame_url=f"{url}?frame={{i}}",
    )
    return {**payload, "step": candidate.step, "time_ps": candidate.time_ps, "stride": 1}


def player_payload(
    folder: Path, *, title: str, url: str, frame: int | None = None
) -> dict[str, Any]:
    """Return the JSON of the 3D view for one frame of a run.

    Args:
        folder: of the run.
        title: above the view.
        url: of the player; another frame is asked for with ``?frame=`` behind it.
        frame: number among the frames that the player shows; None for the first.

    Raises:
        Refused: no frame yet, or none of that number.
    """
    reader = open_trajectory(folder)
    if reader is None:
        raise Refused(_("The run has stored no positions yet."))
    with reader:
        stride = -(-len(reader) // MOST_FRAMES)
        shown = range(0, len(reader), stride)
        number = frame or 0
        if not 0 <= number < len(shown):
            raise Refused(_("The trajectory has no frame %(number)s.") % {"number": number})
        moment = reader[shown[number]]
        payload = viewer_payload(
            frame_atoms(reader, moment),
            title=_("%(name)s, %(time).4g ps") % {"name": title, "time": moment.time / 1000},
            frames=len(shown),
            frame_url=f"{url}?frame={{i}}",
        )
    return {**payload, "step": moment.step, "time_ps": moment.time / 1000, "stride": stride}
