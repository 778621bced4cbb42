"""Root URLs: each room brings its pages (`urls.py`) and its API routes (`api_urls.py`)."""

from django.contrib import admin
from django.urls import include, path

api_v1 = [
    path("", include("labs.api_urls")),
    path("", include("jobs.api_urls")),
    path("", include("datasets.api_urls")),
    path("", include("potentials.api_urls")),
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
