"""The searchable columns of each dataset as arrays, derived from its rows, for the catalog.

A page of the catalog needs counts over every frame that a person sees, by any combination of
conditions. A database answers that by reading rows, a second for a million; arrays in a mapped file
answer it in milliseconds, exactly, and the same whatever the database. The rows stay the truth:
`Dataset.frames_mark` changes in every transaction that changes a dataset's frames, and names the
snapshot that was taken of them, so that an old one is never asked. The files may be deleted at any time.
"""

from datasets.snapshots.cache import snapshot_of, snapshots_remove
from datasets.snapshots.rows import CatalogRows, DatasetOfRows

__all__ = ["CatalogRows", "DatasetOfRows", "snapshot_of", "snapshots_remove"]
