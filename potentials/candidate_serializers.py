"""What the API says of the frames that an MD run put aside."""

from __future__ import annotations

from rest_framework import serializers

from mlmd.md.candidates import Measure


class CandidateLevelsSerializer(serializers.Serializer):
    """Between which spreads of the committee's forces a frame is a candidate."""

    lower = serializers.FloatField(help_text="meV/Å")
    upper = serializers.FloatField(help_text="meV/Å")


class CandidateSerializer(serializers.Serializer):
    """One frame."""

    frame = serializers.IntegerField(help_text="index in the trajectory")
    step = serializers.IntegerField()
    time_ps = serializers.FloatField()
    value = serializers.FloatField(
        help_text="largest spread of the force on an atom, meV/Å; or how many atoms are outside"
    )


class CandidatesSerializer(serializers.Serializer):
    """What a run puts aside."""

    measure = serializers.ChoiceField(choices=[measure.value for measure in Measure])
    levels = CandidateLevelsSerializer(allow_null=True)
    frames = serializers.IntegerField(help_text="stored so far")
    known = serializers.IntegerField(help_text="below the lower level, or with all atoms inside")
    between = serializers.IntegerField(help_text="between the levels, or with atoms outside")
    beyond = serializers.IntegerField(help_text="at the upper level or above")
    chosen = CandidateSerializer(many=True)


class CandidateSetSerializer(serializers.Serializer):
    """The set of structures that was made; `POST /api/v1/dft/` takes its id as structure_set."""

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    size = serializers.IntegerField()
