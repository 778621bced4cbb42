"""API routes of the room."""

from django.urls import URLPattern, URLResolver
from rest_framework.routers import SimpleRouter

from datasets.api.datasets import DatasetViewSet
from datasets.api.frames import FrameViewSet
from datasets.api.pseudopotentials import PseudoFamilyViewSet
from datasets.api.searches import SavedSearchViewSet
from datasets.api.structure_sets import StructureSetViewSet
from datasets.api.structures import StructureViewSet
from datasets.api.uploads import UploadViewSet
from datasets.api.versions import VersionViewSet
from datasets.dft.api import DftViewSet

router = SimpleRouter(use_regex_path=False)
router.register("structures", StructureViewSet, basename="structure")
router.register("structure-sets", StructureSetViewSet, basename="structure-set")
router.register("datasets", DatasetViewSet, basename="dataset")
router.register("versions", VersionViewSet, basename="version")
router.register("frames", FrameViewSet, basename="frame")
router.register("saved-searches", SavedSearchViewSet, basename="saved-search")
router.register("uploads", UploadViewSet, basename="upload")
router.register("pseudo-families", PseudoFamilyViewSet, basename="pseudo-family")
router.register("dft", DftViewSet, basename="dft")
urlpatterns: list[URLPattern | URLResolver] = router.urls
