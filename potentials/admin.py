"""What operators see; results are never edited by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from potentials.models import (
    Potential,
    PotentialFile,
    RefusedUpload,
    Simulation,
    Training,
    Validation,
)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Lists and shows rows; runs and potentials are made and removed by services only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Training)
class TrainingAdmin(ReadOnlyAdmin):
    list_display = ["name", "family", "effort", "frame_count", "owner", "lab", "created_at"]
    list_filter = ["family", "effort", "lab"]
    list_select_related = ["owner", "lab"]
    search_fields = ["name", "owner__email"]
    date_hierarchy = "created_at"


class PotentialFileInline(admin.TabularInline):
    model = PotentialFile
    fields = ["name", "size", "sha256"]
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Potential)
class PotentialAdmin(ReadOnlyAdmin):
    list_display = [
        "name",
        "version",
        "family",
        "elements_key",
        "energy_rmse",
        "force_rmse",
        "owner",
        "lab",
        "visibility",
    ]
    list_filter = ["family", "visibility", "lab"]
    list_select_related = ["owner", "lab"]
    search_fields = ["name", "elements_key", "owner__email"]
    inlines = [PotentialFileInline]


@admin.register(Simulation)
class SimulationAdmin(ReadOnlyAdmin):
    list_display = ["name", "potential", "formula", "atom_count", "owner", "lab", "created_at"]
    list_filter = ["lab"]
    list_select_related = ["potential", "owner", "lab"]
    search_fields = ["name", "formula", "owner__email"]
    date_hierarchy = "created_at"


@admin.register(Validation)
class ValidationAdmin(ReadOnlyAdmin):
    list_display = ["potential", "job", "created_at"]
    list_select_related = ["potential", "job"]
    search_fields = ["potential__name"]
    date_hierarchy = "created_at"


@admin.register(RefusedUpload)
class RefusedUploadAdmin(ReadOnlyAdmin):
    list_display = ["name", "file_name", "size", "owner", "lab", "modified_at"]
    list_filter = ["lab"]
    list_select_related = ["owner", "lab"]
    exclude = ["content"]
