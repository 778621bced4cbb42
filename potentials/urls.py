"""Pages of the room."""

from django.urls import URLPattern

app_name = "potentials"
urlpatterns: list[URLPattern] = []
