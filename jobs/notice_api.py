"""Notices over HTTP: the same rows as behind the bell."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from jobs.kinds import kinds
from jobs.models import Notice, NoticeSettings
from jobs.notices import (
    DEFAULT_MAIL_AFTER,
    OUTCOMES,
    Way,
    notice_settings_set,
    notices_mark_read,
    way_for,
)
from jobs.selectors import notices_of


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    job = serializers.UUIDField(source="job.public_id", read_only=True)
    title = serializers.CharField(source="job.title", read_only=True)
    kind = serializers.CharField(source="job.kind", read_only=True)
    job_url = serializers.SerializerMethodField()

    class Meta:
        model = Notice
        fields = [
            *("id", "job", "title", "kind", "attempt", "outcome", "reason"),
            *("at", "read_at", "mailed_at", "job_url"),
        ]

    def get_job_url(self, notice: Notice) -> str:
        request = self.context.get("request")
        return reverse("api:job-detail", [notice.job.public_id], request=request)


class ReadSerializer(serializers.Serializer[Any]):
    ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, help_text="None: all of them."
    )


class ReadAnswerSerializer(serializers.Serializer[Any]):
    marked = serializers.IntegerField(help_text="how many had not been read before")


class NoticeSettingsSerializer(serializers.Serializer[Any]):
    ways = serializers.DictField(
        child=serializers.DictField(child=serializers.ChoiceField(list(Way))),
        help_text="kind → outcome → `none`, `site` or `mail`; what is left out keeps the default",
    )
    mail_after_s = serializers.IntegerField(
        min_value=0, max_value=2_000_000_000, default=DEFAULT_MAIL_AFTER
    )


def settings_of(user: Any) -> dict[str, Any]:
    """Return how a person is told of every kind and outcome."""
    row = NoticeSettings.objects.filter(user=user).first()
    ways = {
        kind.name: {outcome.value: str(way_for(row, kind.name, outcome)) for outcome in OUTCOMES}
        for kind in kinds()
    }
    return {"ways": ways, "mail_after_s": row.mail_after_s if row else DEFAULT_MAIL_AFTER}


class NoticeViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Notice]):
    """What the person was told about runs."""

    serializer_class = NoticeSerializer
    filterset_fields = {"outcome": ["exact"], "read_at": ["isnull"]}
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet[Notice]:
        if getattr(self, "swagger_fake_view", False):
            return Notice.objects.none()
        return notices_of(self.request.user)

    @extend_schema(summary="List what you were told about runs")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(
        summary="Mark notices as read", request=ReadSerializer, responses=ReadAnswerSerializer
    )
    @action(detail=False, methods=["post"])
    def read(self, request: Request) -> Response:
        asked = ReadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ids = asked.validated_data.get("ids")
        return Response({"marked": notices_mark_read(user=request.user, public_ids=ids)})

    @extend_schema(
        summary="How you are told about runs",
        responses=NoticeSettingsSerializer,
        filters=False,
    )
    @action(
        detail=False,
        methods=["get"],
        url_path="settings",
        url_name="settings",
        filterset_fields=None,
        pagination_class=None,
    )
    def ways(self, request: Request) -> Response:
        return Response(settings_of(request.user))

    @extend_schema(
        summary="Say how you want to be told about runs",
        request=NoticeSettingsSerializer,
        responses=NoticeSettingsSerializer,
        examples=[
            OpenApiExample(
                "Mail about failed trainings only",
                value={"ways": {"train": {"failed": "mail", "done": "site"}}, "mail_after_s": 0},
                request_only=True,
            )
        ],
    )
    @ways.mapping.put
    def ways_set(self, request: Request) -> Response:
        asked = NoticeSettingsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        notice_settings_set(user=request.user, **asked.validated_data)
        return Response(settings_of(request.user))
