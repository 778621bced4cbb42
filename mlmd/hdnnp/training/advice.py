"""Settings for those who don't want to choose any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlmd.frame import Frame
from mlmd.hdnnp.automatic import elements_of
from mlmd.hdnnp.training.settings import Effort, TrainingSettings, preset

# From here on the angular set is thinned: its size grows with the square of the elements.
MANY_ELEMENTS = 5
# So many frames teach as much in one epoch as a small set does in several.
LARGE_SET = 2000
FEW_FRAMES = 20


def automatic_settings(frames: Iterable[Frame], effort: Effort = Effort.NORMAL) -> TrainingSettings:
    """Return settings that suit the frames; they fail for no material.

    Args:
        frames: what will be trained on; looked at once.
        effort: how long to train.
    """
    elements: set[str] = set()
    count = 0
    for frame in frames:
        count += 1
        elements.update(elements_of(frame.numbers))
    settings = preset(effort)
    if len(elements) >= MANY_ELEMENTS:
        settings = replace(settings, angular_widths="0.30 0.80", angular_zetas="1 4")
    if count > LARGE_SET:
        epochs = max(10, round(settings.epochs * LARGE_SET / count))
        settings = replace(settings, epochs=epochs, patience=max(5, settings.patience // 2))
    if count < FEW_FRAMES:
        # Little to learn from: a small network has less room to be wrong in between.
        settings = replace(settings, hidden_nodes="10 10")
    return settings
