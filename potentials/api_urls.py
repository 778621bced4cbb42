"""API routes of the room."""

from django.urls import path
from rest_framework.routers import DefaultRouter

from potentials.api import PotentialViewSet, SimulationViewSet, TrainingViewSet
from potentials.comparison_api import PotentialCompareView
from potentials.imports_api import PotentialImportView
from potentials.refusals_api import RefusedUploadViewSet
from potentials.upload_api import PotentialUploadView
from potentials.validation_api import PotentialSuggestionView, PotentialValidationView
from potentials.versions_api import PotentialVersionsView

router = DefaultRouter()
router.include_root_view = False
# Before those whose id may be any word.
router.register("potentials/refused", RefusedUploadViewSet, basename="refused-upload")
router.register("potentials", PotentialViewSet, basename="potential")
router.register("trainings", TrainingViewSet, basename="training")
router.register("simulations", SimulationViewSet, basename="simulation")

urlpatterns = [
    path("potentials/import/", PotentialImportView.as_view(), name="potential-import"),
    path("potentials/compare/", PotentialCompareView.as_view(), name="potential-compare"),
    path("potentials/upload/", PotentialUploadView.as_view(), name="potential-upload"),
    path(
        "potentials/<uuid:public_id>/versions/",
        PotentialVersionsView.as_view(),
        name="potential-versions",
    ),
    path(
        "potentials/<uuid:public_id>/validation/",
        PotentialValidationView.as_view(),
        name="potential-validation",
    ),
    path(
        "potentials/<uuid:public_id>/suggestion/",
        PotentialSuggestionView.as_view(),
        name="potential-suggestion",
    ),
    *router.urls,
]
