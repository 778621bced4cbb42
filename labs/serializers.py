"""JSON of people and labs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from labs.models import ApiToken, Lab, Membership, Role, Scope, User
from labs.selectors import role_in


class LabSerializer(serializers.ModelSerializer):
    """A lab and the caller's role in it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    role = serializers.SerializerMethodField(help_text="Your role in the lab.")

    class Meta:
        model = Lab
        fields = ["id", "name", "description", "role", "created_at"]

    def get_role(self, lab: Lab) -> str:
        return str(role_in(self.context["request"].user, lab) or "")


class MembershipSerializer(serializers.ModelSerializer):
    """Who belongs to which lab."""

    lab = serializers.UUIDField(source="lab.public_id", help_text="Identifier of the lab.")
    lab_name = serializers.CharField(source="lab.name")
    name = serializers.CharField(source="user.name")
    email = serializers.EmailField(source="user.email")
    is_shared = serializers.BooleanField(source="user.is_shared")
    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        model = Membership
        fields = ["lab", "lab_name", "name", "email", "is_shared", "role", "joined_at"]


class MeSerializer(serializers.ModelSerializer):
    """The caller."""

    labs = serializers.SerializerMethodField()
    scopes = serializers.SerializerMethodField(help_text="What the token of this call may do.")

    class Meta:
        model = User
        fields = ["email", "name", "is_shared", "labs", "scopes"]

    def get_labs(self, user: User) -> list[dict[str, str]]:
        return [
            {"id": str(m.lab.public_id), "name": m.lab.name, "role": m.role}
            for m in user.memberships.select_related("lab").order_by("lab__name")
        ]

    def get_scopes(self, user: User) -> list[str]:
        token = self.context["request"].auth
        return token.scopes if isinstance(token, ApiToken) else [str(scope) for scope in Scope]


class TokenSerializer(serializers.ModelSerializer):
    """A token without its secret."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    class Meta:
        model = ApiToken
        fields = [
            *("id", "name", "prefix", "scopes", "created_at"),
            *("last_used_at", "expires_at", "revoked_at"),
        ]
        read_only_fields = fields


class NewTokenSerializer(serializers.Serializer):
    """What a new token needs."""

    name = serializers.CharField(max_length=80)
    scopes = serializers.MultipleChoiceField(choices=Scope.choices, allow_empty=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TokenSecretSerializer(TokenSerializer):
    """A new token with its secret: the only answer that ever holds it."""

    secret = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "secret"]
        read_only_fields = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        token, secret = instance
        return {**TokenSerializer(token, context=self.context).data, "secret": secret}
