"""Pages of the room."""

from django.urls import path

from jobs import batch_views, cluster_views, notice_views, run_views, usage_views, views

app_name = "jobs"
urlpatterns = [
    path("runs/", views.job_list, name="list"),
    path("runs/cancel/", views.cancel_many, name="cancel-many"),
    path("runs/<uuid:public_id>/", views.detail, name="detail"),
    path("runs/<uuid:public_id>/files.zip", views.download_all, name="files"),
    path("runs/<uuid:public_id>/files/<path:name>", views.download, name="file"),
    path("runs/<uuid:public_id>/look/<path:name>", run_views.view_file, name="file-view"),
    path("runs/<uuid:public_id>/pictures/<path:name>", run_views.picture, name="picture"),
    path("runs/<uuid:public_id>/bundle.zip", run_views.bundle, name="bundle"),
    path("runs/<uuid:public_id>/continue/", run_views.continue_run, name="continue"),
    path("runs/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("runs/<uuid:public_id>/retry/", views.retry, name="retry"),
    path("runs/<uuid:public_id>/rename/", views.rename, name="rename"),
    path("runs/<uuid:public_id>/visibility/", views.set_visibility, name="visibility"),
    path("runs/<uuid:public_id>/delete/", views.delete, name="delete"),
    path("runs/batches/", batch_views.batch_list, name="batches"),
    path("runs/batches/<uuid:public_id>/", batch_views.batch, name="batch"),
    path("runs/batches/<uuid:public_id>/retry/", batch_views.retry_failed, name="batch-retry"),
    path("runs/batches/<uuid:public_id>/cancel/", batch_views.cancel_all, name="batch-cancel"),
    path("usage/", usage_views.usage, name="usage"),
    path("usage/usage.csv", usage_views.usage_table, name="usage-csv"),
    path("usage/plots/<str:measure>/", usage_views.usage_plot, name="usage-plot"),
    path("usage/limit/", usage_views.set_limit, name="limit"),
    path("notifications/", notice_views.notice_list, name="notices"),
    path("notifications/read/", notice_views.mark_read, name="notices-read"),
    path("notifications/settings/", notice_views.notice_settings, name="notice-settings"),
    path("clusters/", views.clusters, name="clusters"),
    path("clusters/new/", cluster_views.new, name="cluster-new"),
    path("clusters/<uuid:public_id>/", cluster_views.detail, name="cluster"),
    path("clusters/<uuid:public_id>/edit/", cluster_views.edit, name="cluster-edit"),
    path("clusters/<uuid:public_id>/probe/", cluster_views.probe, name="cluster-probe"),
    path("clusters/<uuid:public_id>/confirm/", cluster_views.confirm, name="cluster-confirm"),
    path("clusters/<uuid:public_id>/open/", cluster_views.set_open, name="cluster-open"),
    path("clusters/<uuid:public_id>/account/", cluster_views.own_account, name="cluster-account"),
    path(
        "clusters/<uuid:public_id>/credential/",
        cluster_views.credential,
        name="cluster-credential",
    ),
]
