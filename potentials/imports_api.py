"""The API by which potentials that were trained elsewhere come into the catalog."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status, views
from rest_framework.request import Request
from rest_framework.response import Response

from labs.models import Visibility
from labs.selectors import working_lab
from potentials.serializers import PotentialSerializer
from potentials.services.imports import PotentialFiles, potential_import


class PotentialFilesSerializer(serializers.Serializer):
    """A potential from elsewhere: its files, and what is known of it."""

    name = serializers.CharField(max_length=120)
    files = serializers.DictField(
        child=serializers.CharField(trim_whitespace=False, allow_blank=True),
        required=False,
        default=dict,
        help_text="name → text: input.nn, scaling.data, weights.ZZZ.data and units.json of n2p2, or "
        "aenet's networks in ASCII",
    )
    binary_files = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        default=dict,
        help_text="name → content in base64: aenet's networks, one of each element",
    )
    energy_rmse = serializers.FloatField(
        required=False, allow_null=True, default=None, min_value=0, help_text="held out, meV/atom"
    )
    force_rmse = serializers.FloatField(
        required=False, allow_null=True, default=None, min_value=0, help_text="held out, meV/Å"
    )
    settings = serializers.DictField(required=False, default=dict)
    validation = serializers.DictField(required=False, default=dict)
    data_checksum = serializers.CharField(required=False, default="", allow_blank=True)
    frame_count = serializers.IntegerField(required=False, default=0, min_value=0)
    description = serializers.CharField(required=False, default="", allow_blank=True)
    visibility = serializers.ChoiceField(choices=Visibility.values, default=Visibility.LAB.value)


def _decoded(files: Mapping[str, str]) -> dict[str, bytes]:
    try:
        return {name: b64decode(text, validate=True) for name, text in files.items()}
    except ValueError as error:
        raise serializers.ValidationError({"binary_files": f"no base64: {error}"}) from error


class PotentialImportView(views.APIView):
    """Takes a potential that was trained elsewhere."""

    @extend_schema(
        operation_id="potentials_import",
        summary="Add a potential that was trained elsewhere",
        request=PotentialFilesSerializer,
        responses={200: PotentialSerializer, 201: PotentialSerializer},
        examples=[
            OpenApiExample(
                "n2p2's files",
                value={
                    "name": "Silicon",
                    "files": {
                        "input.nn": "…",
                        "scaling.data": "…",
                        "weights.014.data": "…",
                        "units.json": '{"length_unit": "angstrom", "energy_unit": "ev"}',
                    },
                },
                request_only=True,
            ),
            OpenApiExample(
                "aenet's files",
                value={"name": "Rutile", "binary_files": {"Ti.nn": "BAAAAAQAAAA…", "O.nn": "…"}},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = PotentialFilesSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values: dict[str, Any] = asked.validated_data
        values["files"] = {**values["files"], **_decoded(values.pop("binary_files"))}
        row, is_new = potential_import(
            owner=request.user, lab=working_lab(request), potential=PotentialFiles(**values)
        )
        answer = PotentialSerializer(row, context={"request": request})
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(answer.data, status=code)
