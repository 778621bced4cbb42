"""Columns, constraints and indexes of structures, datasets, frames and uploads."""

from datasets.models.datasets import Dataset, DatasetVersion, Licence
from datasets.models.frames import (
    Calculation,
    Composition,
    CompositionShare,
    ElementSet,
    Frame,
    FrameDocument,
)
from datasets.models.pseudopotentials import PseudoFamily, PseudoFile
from datasets.models.searches import SavedSearch
from datasets.models.structures import Origin, Structure, StructureSet
from datasets.models.surveys import DatasetSurvey, FramePlace
from datasets.models.uploads import Upload, UploadState, UploadTarget

__all__ = [
    "Calculation",
    "Composition",
    "CompositionShare",
    "Dataset",
    "DatasetSurvey",
    "DatasetVersion",
    "ElementSet",
    "Frame",
    "FrameDocument",
    "FramePlace",
    "Licence",
    "Origin",
    "PseudoFamily",
    "PseudoFile",
    "SavedSearch",
    "Structure",
    "StructureSet",
    "Upload",
    "UploadState",
    "UploadTarget",
]
