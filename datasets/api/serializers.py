"""What the API shows of structures, datasets, versions, frames and uploads."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from datasets.builders import BUILDERS
from datasets.comparison import VersionComparison
from datasets.models import Dataset, DatasetVersion, Frame, Licence, Structure, Upload
from labs.models import AuditEvent, Visibility


class StructureSerializer(serializers.ModelSerializer):
    """A structure without its atoms; those are in the downloads."""

    owner = serializers.CharField(source="owner.name", read_only=True)
    lab = serializers.UUIDField(source="lab.public_id", read_only=True)
    elements = serializers.ListField(child=serializers.CharField(), read_only=True)
    parent = serializers.SerializerMethodField(help_text="Structure that it was made from.")

    class Meta:
        model = Structure
        fields = [
            "public_id",
            "name",
            "notes",
            "visibility",
            "owner",
            "lab",
            "origin",
            "recipe",
            "parent",
            "source_name",
            "formula",
            "elements",
            "n_atoms",
            "density",
            "volume",
            "space_group",
            "shortest_distance",
            "report",
            "structure_hash",
            "created_at",
        ]
        read_only_fields = [f for f in fields if f not in {"name", "notes", "visibility"}]

    def get_parent(self, structure: Structure) -> str | None:
        seen = self.context.get("visible_parents", {})
        return seen.get(structure.parent_id)


class StructureBuildSerializer(serializers.Serializer):
    """How to make a structure: a builder and its settings."""

    builder = serializers.ChoiceField(choices=list(BUILDERS))
    values = serializers.DictField(help_text="The settings of the builder, as its form has them.")
    parent = serializers.UUIDField(required=False, help_text="Structure to start from.")
    name = serializers.CharField(required=False, max_length=200, default="")
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.LAB)
    lab = serializers.UUIDField(required=False, help_text="Where it goes; else your first lab.")


class VersionSerializer(serializers.ModelSerializer):
    """A version of a dataset."""

    dataset = serializers.UUIDField(source="dataset.public_id", read_only=True)
    state = serializers.CharField(read_only=True)
    elements = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = DatasetVersion
        fields = [
            "public_id",
            "dataset",
            "number",
            "state",
            "published_at",
            "notes",
            "licence",
            "citation",
            "frame_count",
            "elements",
            "checksum",
            "withdrawn_at",
            "withdrawn_reason",
            "title",
            "authors",
            "funding",
            "split",
        ]
        read_only_fields = fields


class VersionFileSerializer(serializers.Serializer):
    """A file in which a version can be downloaded."""

    format = serializers.CharField()
    url = serializers.CharField()
    size = serializers.IntegerField(allow_null=True, help_text="Bytes.")
    sha256 = serializers.CharField(allow_blank=True)


class AuthorSerializer(serializers.Serializer):
    """A person who made data."""

    name = serializers.CharField(max_length=200, help_text="Best “Family, Given”.")
    orcid = serializers.CharField(required=False, default="", allow_blank=True, max_length=60)
    affiliation = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=300
    )


class DatasetSerializer(serializers.ModelSerializer):
    """A dataset and its versions."""

    owner = serializers.CharField(source="owner.name", read_only=True)
    lab = serializers.UUIDField(source="lab.public_id", read_only=True)
    elements = serializers.ListField(child=serializers.CharField(), read_only=True)
    versions = VersionSerializer(many=True, read_only=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False)
    licence = serializers.ChoiceField(choices=Licence.choices, required=False)
    authors = AuthorSerializer(many=True, required=False)

    class Meta:
        model = Dataset
        fields = [
            "public_id",
            "name",
            "description",
            "licence",
            "tags",
            "authors",
            "funding",
            "embargo_until",
            "visibility",
            "owner",
            "lab",
            "frame_count",
            "elements",
            "versions",
            "withdrawn_at",
            "withdrawn_reason",
            "created_at",
            "modified_at",
        ]
        read_only_fields = [
            "public_id",
            "frame_count",
            "withdrawn_at",
            "withdrawn_reason",
            "created_at",
            "modified_at",
        ]


class SplitSerializer(serializers.Serializer):
    """How the frames that have no part yet are split, kind by kind."""

    validation = serializers.FloatField(default=0.1, min_value=0, max_value=0.99)
    test = serializers.FloatField(default=0.1, min_value=0, max_value=0.99)
    seed = serializers.IntegerField(default=1, min_value=0, max_value=2**31 - 1)


class CollectSerializer(serializers.Serializer):
    """A search whose frames become a new dataset."""

    name = serializers.CharField(max_length=200)
    query = serializers.CharField(
        max_length=2000, allow_blank=True, help_text="As after the ? of `/frames/`."
    )
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.LAB)


class PublishSerializer(serializers.Serializer):
    notes = serializers.CharField(required=False, default="", allow_blank=True, max_length=400)
    split = SplitSerializer(required=False, help_text="Left out: as the last version, or none.")


class ChangeSerializer(serializers.Serializer):
    name = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class ComparisonSerializer(serializers.Serializer):
    """What differs between two versions."""

    old = serializers.IntegerField(source="old.number")
    new = serializers.IntegerField(source="new.number")
    added_count = serializers.IntegerField()
    removed_count = serializers.IntegerField()
    kept_count = serializers.IntegerField()
    levels = ChangeSerializer(many=True)
    kinds = ChangeSerializer(many=True)
    formulas = ChangeSerializer(many=True)
    elements_added = serializers.ListField(child=serializers.CharField())
    elements_removed = serializers.ListField(child=serializers.CharField())
    added = serializers.SerializerMethodField(help_text="Ids of the first 1000 added frames.")
    removed = serializers.SerializerMethodField(help_text="Ids of the first 1000 removed frames.")

    def get_added(self, found: VersionComparison) -> list[str]:
        return [str(i) for i in found.added.values_list("public_id", flat=True)[:1000]]

    def get_removed(self, found: VersionComparison) -> list[str]:
        return [str(i) for i in found.removed.values_list("public_id", flat=True)[:1000]]


class OutlierSerializer(serializers.Serializer):
    """A frame that stands out."""

    frame = serializers.UUIDField(source="frame.public_id")
    criterion = serializers.CharField(help_text="`energy`, `force` or `distance`.")
    group = serializers.CharField(help_text="What it is compared with.")
    value = serializers.FloatField(help_text="eV/atom, eV/Å or Å.")
    median = serializers.FloatField()
    score = serializers.FloatField(help_text="Robust standard deviations from the median.")


class DuplicatesSerializer(serializers.Serializer):
    """Frames of one structure, level of theory, charge and spin."""

    frame = serializers.UUIDField(source="frame.public_id", help_text="The first of them.")
    label_identity = serializers.CharField(
        source="frame.label_identity", help_text="`?identity=` finds all of them."
    )
    count = serializers.IntegerField()
    spread = serializers.FloatField(allow_null=True, help_text="Of their energies, eV/atom.")
    disagree = serializers.BooleanField()


class EventSerializer(serializers.ModelSerializer):
    """Who did what to a dataset."""

    actor = serializers.CharField(source="actor.name", default=None, read_only=True)

    class Meta:
        model = AuditEvent
        fields = ["at", "actor", "verb", "detail"]
        read_only_fields = fields


class WithdrawSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=400)


class FrameIdsSerializer(serializers.Serializer):
    frames = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=1000, help_text="Ids of frames."
    )


class FrameSerializer(serializers.ModelSerializer):
    """The columns of a frame; the document holds the rest."""

    dataset = serializers.UUIDField(source="dataset.public_id", read_only=True)
    elements = serializers.ListField(child=serializers.CharField(), read_only=True)
    copied_from = serializers.UUIDField(
        source="copied_from.public_id", read_only=True, default=None, allow_null=True
    )

    class Meta:
        model = Frame
        fields = [
            "public_id",
            "dataset",
            "copied_from",
            "added_in",
            "removed_in",
            "formula",
            "elements",
            "n_atoms",
            "energy",
            "energy_per_atom",
            "max_force",
            "volume_per_atom",
            "has_stress",
            "shortest_distance",
            "pressure",
            "k_spacing",
            "energy_above",
            "code",
            "functional",
            "compat_key",
            "kind",
            "label_source",
            "split",
            "scf_converged",
            "ionic_step",
            "structure_hash",
            "label_identity",
            "document_hash",
        ]
        read_only_fields = fields


class FrameDetailSerializer(FrameSerializer):
    """A frame with its document."""

    document = serializers.SerializerMethodField(help_text="The frame in the published schema.")

    class Meta(FrameSerializer.Meta):
        fields = [*FrameSerializer.Meta.fields, "document"]

    def get_document(self, row: Frame) -> dict[str, Any]:
        from datasets.selections import iterate_frames
        from mlmd.documents import frame_to_document

        frame = next(iterate_frames(Frame.objects.filter(pk=row.pk)))
        return frame_to_document(frame)


class UploadSerializer(serializers.ModelSerializer):
    """A file and what became of it."""

    owner = serializers.CharField(source="owner.name", read_only=True)
    dataset = serializers.UUIDField(source="dataset.public_id", read_only=True, allow_null=True)
    structures = serializers.SerializerMethodField(help_text="Ids of structures it gave.")

    class Meta:
        model = Upload
        fields = [
            "public_id",
            "target",
            "dataset",
            "name",
            "size",
            "sha256",
            "format",
            "kind",
            "state",
            "reason",
            "report",
            "frames_kept",
            "structures",
            "owner",
            "created_at",
            "ended_at",
        ]
        read_only_fields = fields

    def get_structures(self, upload: Upload) -> list[str]:
        user = self.context["request"].user
        rows = upload.structures.visible_to(user).values_list("public_id", flat=True)
        return [str(public_id) for public_id in rows]


class UploadCreateSerializer(serializers.Serializer):
    """A file as multipart form data; with `dataset` it is teacher data, else structures."""

    file = serializers.FileField(allow_empty_file=True)
    dataset = serializers.UUIDField(required=False)
    format = serializers.CharField(required=False, default="", max_length=24)
    kind = serializers.CharField(required=False, default="", max_length=120)
    length_unit = serializers.CharField(required=False, default="", max_length=12)
    energy_unit = serializers.CharField(required=False, default="", max_length=12)
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.LAB)
    lab = serializers.UUIDField(required=False, help_text="For structures; else your first lab.")
