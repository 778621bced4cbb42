"""URLs of the portal's own pages."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.decorators.cache import cache_control
from django.views.i18n import JavaScriptCatalog

from portal import views

# The words of the scripts hold nothing personal; the address carries the language.
words = cache_control(public=True, max_age=3600)(
    JavaScriptCatalog.as_view(packages=["portal"], domain="djangojs")
)

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("api/docs/", views.api_docs, name="api-docs"),
    path("health/", views.health, name="health"),
    path("health/documents/", views.health_documents, name="health-documents"),
    path("words.js", login_not_required(words), name="words"),
]
