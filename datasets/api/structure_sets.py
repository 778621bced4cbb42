"""Sets of structures over HTTP."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.access import editable_or_403, visible_or_404
from datasets.api.labs import lab_of
from datasets.models import Dataset, Structure, StructureSet
from datasets.selectors import structure_sets_visible_to
from datasets.services import (
    structure_set_delete,
    structure_set_from_crystal,
    structure_set_from_dataset,
    structure_set_update,
)
from labs.exceptions import Refused
from labs.models import Visibility
from mlmd.structure.initial_set import InitialSetSettings


class StructureSetSerializer(serializers.ModelSerializer):
    """A set of structures; `structures` are the ids of its members."""

    lab = serializers.UUIDField(source="lab.public_id", read_only=True)
    owner = serializers.CharField(source="owner.name", read_only=True)
    structures = serializers.SerializerMethodField()

    class Meta:
        model = StructureSet
        fields = [
            *("public_id", "name", "visibility", "owner", "lab", "recipe", "size"),
            *("structures", "created_at"),
        ]
        read_only_fields = [f for f in fields if f not in {"name", "visibility"}]

    def get_structures(self, made: StructureSet) -> list[str]:
        # Lists stay short: the members are told of one set at a time.
        if not isinstance(self.instance, StructureSet):
            return []
        return [str(key) for key in made.members.order_by("pk").values_list("public_id", flat=True)]


class StructureSetCreateSerializer(serializers.Serializer):
    structure = serializers.UUIDField(required=False, help_text="Crystal of an initial set.")
    settings = serializers.DictField(default=dict, help_text="How many of each kind.")
    dataset = serializers.UUIDField(required=False, help_text="Instead: frames of this dataset.")
    name = serializers.CharField(default="", allow_blank=True, max_length=200)
    visibility = serializers.ChoiceField(Visibility.choices, default=Visibility.LAB)
    lab = serializers.CharField(required=False)


@extend_schema_view(
    list=extend_schema(summary="List sets of structures"),
    retrieve=extend_schema(summary="Show a set with the ids of its structures"),
    partial_update=extend_schema(summary="Change name or visibility of a set and its members"),
    destroy=extend_schema(summary="Delete a set with its structures"),
)
@extend_schema(tags=["structures"])
class StructureSetViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """Structures that were made in one go: an initial training set, or frames of a dataset."""

    queryset = StructureSet.objects.none()
    serializer_class = StructureSetSerializer
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    ordering_fields = ["name", "created_at", "size"]

    def get_queryset(self) -> Any:
        return structure_sets_visible_to(self.request.user)

    @extend_schema(
        summary="Make an initial training set of a crystal, or structures of a dataset's frames",
        request=StructureSetCreateSerializer,
        responses={201: StructureSetSerializer},
        examples=[
            OpenApiExample(
                "Silicon",
                value={
                    "structure": "8d3f6f0e-5d0c-4b6e-9d6c-1f6f6c6f2b11",
                    "settings": {"rattles": 80, "dimers": 10},
                },
            )
        ],
    )
    def create(self, request: Request) -> Response:
        asked = StructureSetCreateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        common = {
            "owner": request.user,
            "lab": lab_of(request),
            "name": values["name"],
            "visibility": values["visibility"],
        }
        if "structure" in values:
            seen = Structure.objects.visible_to(request.user)
            made = structure_set_from_crystal(
                parent=visible_or_404(seen, values["structure"]),
                settings=InitialSetSettings.from_json(values["settings"]),
                **common,
            )
        elif "dataset" in values:
            visible = Dataset.objects.visible_to(request.user)
            made = structure_set_from_dataset(
                dataset=visible_or_404(visible, values["dataset"]), **common
            )
        else:
            raise Refused("structure, dataset: one of them is needed.")
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, public_id: Any = None) -> Response:
        made = editable_or_403(StructureSet, request.user, public_id)
        asked = self.get_serializer(made, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        values = {"name": made.name, "visibility": made.visibility} | asked.validated_data
        structure_set_update(structure_set=made, actor=request.user, **values)
        return Response(self.get_serializer(made).data)

    def destroy(self, request: Request, public_id: Any = None) -> Response:
        made = editable_or_403(StructureSet, request.user, public_id)
        structure_set_delete(structure_set=made, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
