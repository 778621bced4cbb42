"""Operators' view of people and labs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from labs.models import ApiToken, AuditEvent, Invitation, Lab, Membership, User
from labs.services.accounts import token_revoke

admin.site.site_header = _("MLMD portal: operators")
admin.site.site_title = _("MLMD portal")
admin.site.index_title = _("Everything on this site")


class ReadOnly(admin.ModelAdmin):
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 1
    autocomplete_fields = ["user"]


@admin.register(Lab)
class LabAdmin(admin.ModelAdmin):
    list_display = ["name", "members_count", "created_at"]
    search_fields = ["name"]
    inlines = [MembershipInline]

    @admin.display(description=_("members"))
    def members_count(self, lab: Lab) -> int:
        return lab.memberships.count()


class PersonCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name", "is_shared")


class PersonChangeForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class PersonAdmin(UserAdmin):
    form = PersonChangeForm
    add_form = PersonCreationForm
    ordering = ["email"]
    list_display = ["email", "name", "is_shared", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_shared"]
    search_fields = ["email", "name"]
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("name", "is_shared")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    *("email", "name", "is_shared"),
                    *("usable_password", "password1", "password2"),
                ),
            },
        ),
    )


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ["email", "lab", "role", "invited_by", "created_at", "expires_at", "accepted_at"]
    list_filter = ["lab"]
    search_fields = ["email"]
    exclude = ["token_hash"]


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    list_display = ["name", "user", "prefix", "scopes", "last_used_at", "expires_at", "revoked_at"]
    search_fields = ["name", "user__email"]
    exclude = ["token_hash"]
    actions = ["revoke"]

    @admin.action(description=_("Revoke the chosen tokens"))
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for token in queryset:
            token_revoke(token=token)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ["at", "lab", "actor", "verb", "object_kind", "object_name"]
    list_filter = ["lab", "verb"]
    search_fields = ["object_name", "object_id"]
    date_hierarchy = "at"
