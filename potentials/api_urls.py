"""API routes of the room."""

from rest_framework.routers import DefaultRouter

from potentials.api import PotentialViewSet, SimulationViewSet, TrainingViewSet

router = DefaultRouter()
router.include_root_view = False
router.register("potentials", PotentialViewSet, basename="potential")
router.register("trainings", TrainingViewSet, basename="training")
router.register("simulations", SimulationViewSet, basename="simulation")

urlpatterns = router.urls
