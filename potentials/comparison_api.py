"""The API that compares potentials."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, views
from rest_framework.request import Request
from rest_framework.response import Response

from potentials.comparison import compare, wanted_ids
from potentials.serializers import PotentialListSerializer


class CellSerializer(serializers.Serializer):
    """What one potential has in a row."""

    text = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    is_best = serializers.BooleanField()
    note = serializers.CharField(help_text="deviation from the teacher's, or why there is nothing")


class RowSerializer(serializers.Serializer):
    """One property of all potentials."""

    label = serializers.CharField()
    unit = serializers.CharField()
    reference = serializers.CharField(help_text="the teacher's, where it is the same for all")
    cells = CellSerializer(many=True)


class GroupSerializer(serializers.Serializer):
    """Rows that belong together."""

    name = serializers.CharField()
    title = serializers.CharField()
    note = serializers.CharField()
    rows = RowSerializer(many=True)


class PotentialComparisonSerializer(serializers.Serializer):
    """Several potentials side by side; cells are in the order of the potentials."""

    potentials = PotentialListSerializer(many=True, help_text="those that one may see")
    unknown = serializers.IntegerField(help_text="asked for, but missing or not to be seen")
    groups = GroupSerializer(many=True)


class PotentialCompareView(views.APIView):
    """Compares potentials."""

    @extend_schema(
        operation_id="potentials_compare",
        summary="Compare two to six potentials: what they are, errors, validations",
        parameters=[
            OpenApiParameter(
                "potential", OpenApiTypes.UUID, many=True, description="repeated, in order"
            )
        ],
        responses=PotentialComparisonSerializer,
    )
    def get(self, request: Request) -> Response:
        found = compare(request.user, wanted_ids(request.query_params.getlist("potential")))
        return Response(PotentialComparisonSerializer(found, context={"request": request}).data)
