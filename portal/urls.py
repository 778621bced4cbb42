"""Root URLs: each room brings its pages (`urls.py`) and its API routes (`api_urls.py`)."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView

schema = extend_schema(summary="This API as an OpenAPI document")(SpectacularAPIView).as_view()

api_v1 = [
    path("", include("labs.api_urls")),
    path("", include("jobs.api_urls")),
    path("", include("datasets.api_urls")),
    path("", include("potentials.api_urls")),
    path("schema/", schema, name="schema"),
]

urlpatterns = [
    path("", include("portal.pages")),
    path("", include("labs.urls")),
    path("", include("jobs.urls")),
    path("", include("datasets.urls")),
    path("", include("potentials.urls")),
    path("api/v1/", include((api_v1, "api"), namespace="api")),
    path("admin/", admin.site.urls),
]

handler400 = "portal.errors.bad_request"
handler403 = "portal.errors.forbidden"
handler404 = "portal.errors.not_found"
handler500 = "portal.errors.server_error"
