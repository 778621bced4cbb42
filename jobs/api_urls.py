"""API routes of the room."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from jobs.api import JobViewSet
from jobs.batch_api import BatchViewSet
from jobs.cluster_api import ClusterViewSet
from jobs.notice_api import NoticeViewSet
from jobs.usage_api import LimitView, UsageView

router = SimpleRouter(use_regex_path=False)
router.register("jobs", JobViewSet, basename="job")
router.register("batches", BatchViewSet, basename="batch")
router.register("notices", NoticeViewSet, basename="notice")
router.register("clusters", ClusterViewSet, basename="cluster")
urlpatterns = [
    # Files are named as they are, without the slash that the router would put behind.
    path(
        "jobs/<uuid:public_id>/files.zip",
        JobViewSet.as_view({"get": "files_zip"}),
        name="job-files-zip",
    ),
    path(
        "jobs/<uuid:public_id>/bundle.zip",
        JobViewSet.as_view({"get": "bundle_zip"}),
        name="job-bundle",
    ),
    path(
        "jobs/<uuid:public_id>/files/<path:name>",
        JobViewSet.as_view({"get": "file"}),
        name="job-file",
    ),
    path("usage/", UsageView.as_view(), name="usage"),
    path("limits/", LimitView.as_view(), name="limits"),
    *router.urls,
]
