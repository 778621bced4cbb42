"""What is worked out about a dataset behind the scenes: where its elements and frames lie."""

from __future__ import annotations

from django.db import models


class DatasetSurvey(models.Model):
    """The state of a dataset's survey; see `datasets.services.surveys`.

    A survey is current while `mark` is the dataset's `frames_mark`.
    """

    dataset = models.OneToOneField(
        "datasets.Dataset", on_delete=models.CASCADE, related_name="survey"
    )
    mark = models.UUIDField(null=True)
    coverage = models.JSONField(default=dict)  # see `datasets.coverage.ElementCoverage`
    # The map: frames whose document hash lies below `sample_end` are on it, empty for all.
    sample_end = models.CharField(max_length=8, blank=True)
    wanted = models.PositiveIntegerField(default=0)
    placed = models.PositiveIntegerField(default=0)
    axes = models.JSONField(null=True)  # mean and directions, see `mlmd.analysis.principal`
    explained = models.JSONField(default=list)
    drawn = models.PositiveIntegerField(default=0)  # times that axes were chosen
    drawn_of = models.PositiveIntegerField(default=0)  # frames that the axes were chosen from
    fingerprints = models.PositiveSmallIntegerField(default=0)  # version of the fingerprint
    lease_until = models.DateTimeField(null=True)
    surveyed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"survey of {self.dataset_id}"


class FramePlace(models.Model):
    """The fingerprint of a frame and its place on its dataset's map."""

    frame = models.OneToOneField(
        "datasets.Frame", on_delete=models.CASCADE, primary_key=True, related_name="place"
    )
    fingerprint = models.BinaryField()  # float32; empty where the structure has none
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"place of {self.frame_id}"
