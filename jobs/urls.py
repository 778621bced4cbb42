"""Pages of the room."""

from django.urls import path

from jobs import views

app_name = "jobs"
urlpatterns = [
    path("runs/", views.job_list, name="list"),
    path("runs/cancel/", views.cancel_many, name="cancel-many"),
    path("runs/<uuid:public_id>/", views.detail, name="detail"),
    path("runs/<uuid:public_id>/files.zip", views.download_all, name="files"),
    path("runs/<uuid:public_id>/files/<path:name>", views.download, name="file"),
    path("runs/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("runs/<uuid:public_id>/retry/", views.retry, name="retry"),
    path("runs/<uuid:public_id>/rename/", views.rename, name="rename"),
    path("runs/<uuid:public_id>/visibility/", views.set_visibility, name="visibility"),
    path("runs/<uuid:public_id>/delete/", views.delete, name="delete"),
    path("clusters/", views.clusters, name="clusters"),
]
