"""JSON of the API: rows out, requests in."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.batches import MOST_RUNS
from jobs.models import Job
from jobs.serializers import AskedSerializer, ScriptPreviewSerializer
from labs.models import Visibility
from potentials.engines import ENGINES
from potentials.families import FAMILIES
from potentials.models import Effort, Potential, Simulation, Training


class RunStateSerializer(serializers.ModelSerializer):
    """Where a run is."""

    id = serializers.UUIDField(source="public_id")
    cluster = serializers.CharField(source="cluster.name")

    class Meta:
        model = Job
        fields = [
            "id",
            "state",
            "reason",
            "progress",
            "cluster",
            "created_at",
            "started_at",
            "ended_at",
        ]
        read_only_fields = fields


class OwnedSerializer(serializers.ModelSerializer):
    """What every row says."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    owner = serializers.CharField(source="owner.name", read_only=True)
    lab = serializers.CharField(source="lab.name", read_only=True)
    page = serializers.SerializerMethodField()

    page_name = ""

    def get_page(self, row: Any) -> str:
        address = reverse(self.page_name, args=[row.public_id])
        request = self.context.get("request")
        return request.build_absolute_uri(address) if request else address


class PotentialFileSerializer(serializers.Serializer):
    """One file of a potential."""

    name = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")
    sha256 = serializers.CharField()


class PotentialListSerializer(OwnedSerializer):
    """A potential in a list; RMSE are those of held-out frames."""

    page_name = "potentials:detail"
    elements = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Potential
        fields = [
            "id",
            "name",
            "version",
            "family",
            "elements",
            "energy_rmse",
            "force_rmse",
            "frame_count",
            "cutoff_radius",
            "licence",
            "visibility",
            "owner",
            "lab",
            "created_at",
            "page",
        ]
        read_only_fields = [name for name in fields if name not in {"name", "licence"}]


class PotentialSerializer(PotentialListSerializer):
    """A potential with everything that its card shows."""

    training = serializers.UUIDField(source="training.public_id", read_only=True, allow_null=True)
    dataset_versions = serializers.SlugRelatedField(
        source="versions", slug_field="public_id", many=True, read_only=True
    )
    files = serializers.SerializerMethodField()

    class Meta(PotentialListSerializer.Meta):
        fields = [
            *PotentialListSerializer.Meta.fields,
            "description",
            "not_for",
            "citation",
            "source",
            "length_unit",
            "energy_unit",
            "settings",
            "validation",
            "data_checksum",
            "files_checksum",
            "dataset_versions",
            "training",
            "files",
        ]
        read_only_fields = [
            name
            for name in fields
            if name
            not in {"name", "description", "not_for", "licence", "visibility", "citation", "source"}
        ]

    @extend_schema_field(PotentialFileSerializer(many=True))
    def get_files(self, potential: Potential) -> Any:
        return PotentialFileSerializer(potential.files.defer("content"), many=True).data


class TrainingSerializer(OwnedSerializer):
    """A training run."""

    page_name = "potentials:training"
    run = RunStateSerializer(source="job", read_only=True)
    potential = serializers.SerializerMethodField()

    class Meta:
        model = Training
        fields = [
            "id",
            "name",
            "family",
            "effort",
            "selection",
            "data_checksum",
            "data_summary",
            "frame_count",
            "settings",
            "result",
            "potential",
            "run",
            "visibility",
            "owner",
            "lab",
            "created_at",
            "page",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_potential(self, training: Training) -> Any:
        potential = getattr(training, "potential", None)
        user = self.context["request"].user
        if potential is None:
            return None
        seen = Potential.objects.visible_to(user).filter(pk=potential.pk).exists()
        return potential.public_id if seen else None


class TrainingRequestSerializer(serializers.Serializer):
    """What a training is started with."""

    name = serializers.CharField(max_length=120)
    versions = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, help_text="ids of published dataset versions"
    )
    filters = serializers.DictField(
        required=False, default=dict, help_text="frame filters, as in the frames catalog"
    )
    family = serializers.ChoiceField(
        choices=sorted(FAMILIES),
        default="hdnnp",
        help_text="``hdnnp``: our own engine; ``n2p2``: the same potentials by n2p2's programs",
    )
    effort = serializers.ChoiceField(choices=Effort.values, default=Effort.NORMAL.value)
    settings = serializers.DictField(
        required=False, default=dict, help_text="settings that differ from the effort's"
    )
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None)
    threads = serializers.IntegerField(required=False, min_value=1, max_value=1024)
    resources = AskedSerializer(required=False, help_text="what to ask of the cluster")
    visibility = serializers.ChoiceField(choices=Visibility.values, default=Visibility.LAB.value)


class TrainingBatchSerializer(TrainingRequestSerializer):
    """Several trainings that differ in their seed."""

    runs = serializers.IntegerField(min_value=2, max_value=MOST_RUNS)


class SimulationSerializer(OwnedSerializer):
    """A molecular-dynamics run."""

    page_name = "potentials:simulation"
    run = RunStateSerializer(source="job", read_only=True)
    potential = serializers.UUIDField(source="potential.public_id", read_only=True)
    structure = serializers.UUIDField(source="structure.public_id", read_only=True)

    class Meta:
        model = Simulation
        fields = [
            "id",
            "name",
            "potential",
            "structure",
            "structure_hash",
            "repeats",
            "atom_count",
            "formula",
            "engine",
            "settings",
            "result",
            "run",
            "visibility",
            "owner",
            "lab",
            "created_at",
            "page",
        ]
        read_only_fields = fields


class SimulationRequestSerializer(serializers.Serializer):
    """What an MD run is started with."""

    name = serializers.CharField(max_length=120)
    potential = serializers.UUIDField()
    structure = serializers.UUIDField()
    repeats = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100),
        min_length=3,
        max_length=3,
        default=[1, 1, 1],
    )
    engine = serializers.ChoiceField(
        choices=["", *ENGINES],
        default="",
        help_text="``mlmd``: our own; ``lammps``; empty: ours where it knows the potential",
    )
    settings = serializers.DictField(
        help_text="stages (steps, kind, ensemble, temperature_start, …), time_step, seed, …"
    )
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None)
    threads = serializers.IntegerField(required=False, min_value=1, max_value=1024)
    resources = AskedSerializer(required=False, help_text="what to ask of the cluster")
    visibility = serializers.ChoiceField(choices=Visibility.values, default=Visibility.LAB.value)


class SimulationBatchSerializer(SimulationRequestSerializer):
    """Several MD runs that differ in their temperature."""

    temperatures = serializers.ListField(
        child=serializers.FloatField(min_value=0.1, max_value=1e6),
        min_length=2,
        max_length=MOST_RUNS,
        help_text="K; one run each, in place of the stage's own",
    )


class SimulationPreviewSerializer(ScriptPreviewSerializer):
    """What would be handed over to the cluster, and what the engine would read there."""

    input = serializers.CharField(help_text="of LAMMPS; empty for our own engine")


class StructureNameSerializer(serializers.Serializer):
    """Which configuration to keep, and as what."""

    name = serializers.CharField(max_length=120)
    frame = serializers.IntegerField(default=-1, help_text="index; -1 for the last one")


class StructureIdSerializer(serializers.Serializer):
    """The structure that was made."""

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
