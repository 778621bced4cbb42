"""The only writers of structures, datasets, frames and uploads."""

from datasets.services.copies import dataset_collect
from datasets.services.datasets import (
    bundled_silicon_dataset,
    dataset_create,
    dataset_delete,
    dataset_update,
    dataset_withdraw,
)
from datasets.services.frames import frames_exclude, frames_insert, frames_restore
from datasets.services.parsing import upload_parse
from datasets.services.searches import search_delete, search_save
from datasets.services.structure_sets import (
    structure_set_delete,
    structure_set_from_crystal,
    structure_set_from_dataset,
    structure_set_from_run,
    structure_set_update,
)
from datasets.services.structures import (
    structure_build,
    structure_create_from_atoms,
    structure_delete,
    structure_update,
)
from datasets.services.uploads import (
    upload_cancel,
    upload_create,
    upload_delete,
    upload_retry,
    uploads_waiting,
)
from datasets.services.versions import dataset_publish, version_verify, version_withdraw

__all__ = [
    "bundled_silicon_dataset",
    "dataset_collect",
    "dataset_create",
    "dataset_delete",
    "dataset_publish",
    "dataset_update",
    "dataset_withdraw",
    "frames_exclude",
    "frames_insert",
    "frames_restore",
    "search_delete",
    "search_save",
    "structure_build",
    "structure_create_from_atoms",
    "structure_delete",
    "structure_set_delete",
    "structure_set_from_crystal",
    "structure_set_from_dataset",
    "structure_set_from_run",
    "structure_set_update",
    "structure_update",
    "upload_cancel",
    "upload_create",
    "upload_delete",
    "upload_parse",
    "upload_retry",
    "uploads_waiting",
    "version_verify",
    "version_withdraw",
]
