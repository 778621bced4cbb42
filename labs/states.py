"""How the words for states look: every state is a word, an icon and a colour family."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tone:
    """Look of a state.

    Args:
        tone: ``quiet``, ``busy``, ``good``, ``warn`` or ``bad``: a class of the style sheet.
        icon: name in the sprite ``static/icons.svg``.
    """

    tone: str
    icon: str


QUIET = Tone("quiet", "dot")
TONES = {
    **dict.fromkeys(
        ("created", "staged", "submitted", "waiting", "queued"), Tone("quiet", "clock")
    ),
    **dict.fromkeys(
        ("running", "parsing", "ended", "fetched", "fetching"), Tone("busy", "running")
    ),
    **dict.fromkeys(
        ("done", "published", "accepted", "active", "converged"), Tone("good", "check")
    ),
    **dict.fromkeys(("blocked", "cancelling", "warning", "withdrawn"), Tone("warn", "warning")),
    **dict.fromkeys(("failed", "refused", "lost", "error"), Tone("bad", "cross")),
    **dict.fromkeys(("cancelled", "revoked", "expired"), Tone("quiet", "stop")),
    "draft": Tone("quiet", "edit"),
    "private": Tone("quiet", "lock"),
    "lab": Tone("quiet", "people"),
    "public": Tone("quiet", "globe"),
    "note": Tone("quiet", "info"),
}


def tone_of(state: str) -> Tone:
    """Return the look of a state word; unknown words are quiet, never an error."""
    return TONES.get(state.rsplit(".", 1)[-1].lower(), QUIET)
