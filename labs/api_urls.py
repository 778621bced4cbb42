"""API routes of the room."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from labs import api

router = SimpleRouter()
router.register("labs", api.LabViewSet, basename="lab")
router.register("memberships", api.MembershipViewSet, basename="membership")
router.register("tokens", api.TokenViewSet, basename="token")

urlpatterns = [path("me/", api.Me.as_view(), name="me"), *router.urls]
