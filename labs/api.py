"""API of people and labs."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from labs.models import ApiToken, Lab, Membership
from labs.selectors import labs_of, memberships_visible_to, tokens_of
from labs.serializers import (
    LabSerializer,
    MembershipSerializer,
    MeSerializer,
    NewTokenSerializer,
    TokenSecretSerializer,
    TokenSerializer,
)
from labs.services.accounts import token_create, token_revoke


@extend_schema(summary="Who you are, your labs, and what this token may do")
class Me(generics.RetrieveAPIView):
    serializer_class = MeSerializer

    def get_object(self) -> Any:
        return self.request.user


@extend_schema_view(
    list=extend_schema(summary="Your labs"), retrieve=extend_schema(summary="One of your labs")
)
class LabViewSet(viewsets.ReadOnlyModelViewSet):
    serializer_class = LabSerializer
    lookup_field = "public_id"
    queryset = Lab.objects.none()
    ordering_fields = ["name", "created_at"]

    def get_queryset(self) -> Any:
        return labs_of(self.request.user)


@extend_schema_view(list=extend_schema(summary="Members of your labs and their roles"))
class MembershipViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    serializer_class = MembershipSerializer
    queryset = Membership.objects.none()
    filterset_fields = {"lab__public_id": ["exact"], "role": ["exact"]}
    ordering_fields = ["joined_at"]

    def get_queryset(self) -> Any:
        return memberships_visible_to(self.request.user)


@extend_schema_view(
    list=extend_schema(summary="Your tokens, without their secrets"),
    retrieve=extend_schema(summary="One of your tokens"),
    destroy=extend_schema(summary="Revoke a token"),
)
class TokenViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    serializer_class = TokenSerializer
    lookup_field = "public_id"
    queryset = ApiToken.objects.none()
    ordering_fields = ["created_at", "last_used_at"]

    def get_queryset(self) -> Any:
        return tokens_of(self.request.user)

    @extend_schema(
        summary="Make a token; its secret is in this answer only",
        description="Needs a signed-in browser session: a token can't make another token.",
        request=NewTokenSerializer,
        responses={201: TokenSecretSerializer},
        examples=[
            OpenApiExample("For reading", {"name": "laptop", "scopes": ["read"]}, request_only=True)
        ],
    )
    def create(self, request: Request) -> Response:
        if isinstance(request.auth, ApiToken):
            # A stolen token must not outlive its revocation through a child.
            raise PermissionDenied(
                _("A token can't make another token; sign in and make it under Account → Tokens.")
            )
        wanted = NewTokenSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        values = {**wanted.validated_data, "scopes": sorted(wanted.validated_data["scopes"])}
        made = token_create(user=request.user, **values)
        answer = TokenSecretSerializer(made, context=self.get_serializer_context())
        return Response(answer.data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: ApiToken) -> None:
        token_revoke(token=instance)
