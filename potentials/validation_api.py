"""The API of a potential's validation: start one, read what the last one found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status, views
from rest_framework.request import Request
from rest_framework.response import Response

from labs.models import Scope
from mlmd.validation import CheckName
from potentials.models import Potential
from potentials.requests import validation_request
from potentials.selectors import potentials_visible_to
from potentials.serializers import RunStateSerializer
from potentials.services.suggestions import suggestion_accept
from potentials.services.validations import validation_start
from potentials.validation_card import ValidationCard, validation_card


class ValidationRequestSerializer(serializers.Serializer):
    """What to check, against which data, where."""

    settings = serializers.DictField(
        required=False, help_text=f"of the checks; ``checks`` names some of {', '.join(CheckName)}"
    )
    versions = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_null=True,
        help_text="dataset versions to hold it against; left out: those it was fitted to",
    )
    cluster = serializers.UUIDField(required=False, allow_null=True)
    threads = serializers.IntegerField(required=False, min_value=1, default=1)


class SuggestionSerializer(serializers.Serializer):
    """What the report suggests to say under "not to be used for"."""

    key = serializers.CharField()
    text = serializers.CharField(read_only=True)
    why = serializers.CharField(read_only=True)


class ValidationSerializer(serializers.Serializer):
    """The newest run and the newest report of a potential."""

    run = RunStateSerializer(source="job", allow_null=True, help_text="of the newest validation")
    reported_at = serializers.DateTimeField(source="reported.created_at", allow_null=True)
    settings = serializers.JSONField(source="reported.settings", allow_null=True)
    report = serializers.SerializerMethodField()
    problem = serializers.CharField(help_text="why a stored report can't be read")
    suggestions = SuggestionSerializer(many=True)

    def get_report(self, card: ValidationCard) -> dict[str, Any] | None:
        """The report as `mlmd.validation` wrote it."""
        return card.reported.report if card.report and card.reported else None


class PotentialValidationView(views.APIView):
    """The validation of one potential."""

    required_scope = Scope.RUN

    @extend_schema(
        operation_id="potentials_validation",
        summary="The newest validation of a potential: state, report, suggestions",
        responses=ValidationSerializer,
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        return _answer(_potential(request, public_id))

    @extend_schema(
        operation_id="potentials_validate",
        summary="Validate a potential again",
        request=ValidationRequestSerializer,
        responses={201: ValidationSerializer},
        examples=[
            OpenApiExample(
                "some checks",
                value={"settings": {"checks": ["volume", "phonons"], "supercell": 12.0}},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        row = _potential(request, public_id)
        asked = ValidationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = validation_request(request.user, asked.validated_data)
        validation_start(potential=row, actor=request.user, request=wanted)
        return _answer(row, status.HTTP_201_CREATED)


class PotentialSuggestionView(views.APIView):
    """What a validation suggests to say on the card."""

    @extend_schema(
        operation_id="potentials_suggestion_accept",
        summary="Take a suggestion of the validation over into the card",
        request=SuggestionSerializer,
        responses=ValidationSerializer,
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        row = _potential(request, public_id)
        asked = SuggestionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        suggestion_accept(potential=row, actor=request.user, key=asked.validated_data["key"])
        return _answer(row)


def _potential(request: Request, public_id: UUID) -> Potential:
    return get_object_or_404(potentials_visible_to(request.user), public_id=public_id)


def _answer(row: Potential, code: int = status.HTTP_200_OK) -> Response:
    return Response(ValidationSerializer(validation_card(row)).data, status=code)
