"""Teacher data for operators: to look at, rarely to change."""

from typing import Any

from django.contrib import admin

from datasets.models import Calculation, Dataset, DatasetVersion, Frame, Structure, Upload


class LookOnly(admin.ModelAdmin):
    """Rows whose meaning would break if somebody typed into them."""

    def has_add_permission(self, request: Any) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@admin.register(Structure)
class StructureAdmin(LookOnly):
    list_display = ["name", "formula", "n_atoms", "owner", "lab", "visibility", "created_at"]
    list_filter = ["origin", "visibility"]
    search_fields = ["name", "formula", "public_id"]
    exclude = ["content"]


@admin.register(Dataset)
class DatasetAdmin(LookOnly):
    list_display = ["name", "frame_count", "owner", "lab", "visibility", "modified_at"]
    list_filter = ["visibility", "licence"]
    search_fields = ["name", "public_id"]


@admin.register(DatasetVersion)
class DatasetVersionAdmin(LookOnly):
    list_display = ["dataset", "number", "published_at", "frame_count", "withdrawn_at"]
    list_select_related = ["dataset"]
    search_fields = ["dataset__name", "checksum", "public_id"]


@admin.register(Calculation)
class CalculationAdmin(LookOnly):
    list_display = ["code", "version", "functional", "compat_key", "source_name", "dataset"]
    list_select_related = ["dataset"]
    search_fields = ["source_name", "source_sha256", "compat_key"]


@admin.register(Frame)
class FrameAdmin(LookOnly):
    list_display = ["formula", "n_atoms", "energy_per_atom", "max_force", "kind", "dataset"]
    list_select_related = ["dataset"]
    search_fields = ["=public_id", "=structure_hash", "=document_hash"]
    show_full_result_count = False


@admin.register(Upload)
class UploadAdmin(LookOnly):
    list_display = ["name", "state", "size", "frames_kept", "attempts", "owner", "created_at"]
    list_filter = ["state", "target"]
    list_select_related = ["owner"]
    search_fields = ["name", "sha256", "public_id"]
