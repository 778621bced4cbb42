"""Addresses of the OPTIMADE API, with and without version."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from datasets.optimade import views

versioned: list[URLPattern] = [
    re_path(r"^structures/?$", views.structures, name="optimade-structures"),
    re_path(r"^structures/(?P<identifier>.+?)/?$", views.structure, name="optimade-structure"),
    re_path(r"^info/?$", views.info, name="optimade-info"),
    re_path(r"^info/structures/?$", views.info_structures, name="optimade-info-structures"),
    re_path(r"^links/?$", views.links, name="optimade-links"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^(?:v1(?:\.2(?:\.0)?)?/?)?$", views.front, name="optimade"),
    re_path(r"^versions/?$", views.versions, name="optimade-versions"),
    re_path(r"^v1(?:\.2(?:\.0)?)?/", include(versioned)),
    re_path(r"^", include(versioned)),
    path("<path:rest>", views.nothing, name="optimade-nothing"),
]
