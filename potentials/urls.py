"""Pages of the room."""

from django.urls import path

from potentials.views import (
    candidates,
    comparisons,
    potentials,
    refusals,
    simulations,
    trainings,
    uploads,
    validations,
)

app_name = "potentials"
urlpatterns = [
    path("potentials/", potentials.potential_list, name="list"),
    path("potentials/upload/", uploads.potential_upload, name="upload"),
    path("potentials/upload/preview/", uploads.potential_upload_preview, name="upload-preview"),
    path("potentials/upload/refused/", refusals.refused_uploads, name="refused-uploads"),
    path(
        "potentials/upload/refused/<uuid:public_id>/",
        refusals.refused_upload,
        name="refused-upload",
    ),
    path(
        "potentials/upload/refused/<uuid:public_id>/original/",
        refusals.refused_upload_original,
        name="refused-upload-original",
    ),
    path(
        "potentials/upload/refused/<uuid:public_id>/delete/",
        refusals.refused_upload_delete,
        name="refused-upload-delete",
    ),
    path("potentials/compare/", comparisons.comparison, name="compare"),
    path("potentials/compare/table.csv", comparisons.comparison_table, name="compare-csv"),
    path(
        "potentials/compare/plots/<slug:check>/<int:number>/",
        comparisons.comparison_plot,
        name="compare-plot",
    ),
    path(
        "potentials/compare/plots/<slug:check>/<int:number>.csv",
        comparisons.comparison_plot_csv,
        name="compare-plot-csv",
    ),
    path("potentials/<uuid:public_id>/", potentials.potential_detail, name="detail"),
    path("potentials/<uuid:public_id>/edit/", potentials.potential_edit, name="edit"),
    path(
        "potentials/<uuid:public_id>/visibility/",
        potentials.potential_visibility,
        name="visibility",
    ),
    path("potentials/<uuid:public_id>/delete/", potentials.potential_remove, name="delete"),
    path("potentials/<uuid:public_id>/archive/", potentials.potential_archive, name="archive"),
    path("potentials/<uuid:public_id>/files/<str:name>", potentials.potential_file, name="file"),
    path(
        "potentials/<uuid:public_id>/parity/<slug:quantity>/",
        potentials.potential_parity,
        name="parity",
    ),
    path(
        "potentials/<uuid:public_id>/parity/<slug:quantity>.csv",
        potentials.potential_parity_csv,
        name="parity-csv",
    ),
    path("potentials/<uuid:public_id>/validate/", validations.validate, name="validate"),
    path(
        "potentials/<uuid:public_id>/suggestion/",
        validations.accept_suggestion,
        name="accept-suggestion",
    ),
    path(
        "potentials/<uuid:public_id>/validation/<slug:check>/<int:number>/",
        validations.validation_plot,
        name="validation-plot",
    ),
    path(
        "potentials/<uuid:public_id>/validation/<slug:check>/<int:number>.csv",
        validations.validation_plot_csv,
        name="validation-plot-csv",
    ),
    path("train/", trainings.train, name="train"),
    path("train/preview/", trainings.train_preview, name="train-preview"),
    path("train/functions/", trainings.train_functions, name="train-functions"),
    path("train/<uuid:public_id>/", trainings.training, name="training"),
    path(
        "train/<uuid:public_id>/curve/<slug:quantity>/",
        trainings.training_curve,
        name="training-curve",
    ),
    path(
        "train/<uuid:public_id>/files/<slug:name>/", trainings.training_file, name="training-file"
    ),
    path("train/<uuid:public_id>/delete/", trainings.training_remove, name="training-delete"),
    path("md/", simulations.simulate, name="simulate"),
    path("md/preview/", simulations.simulate_preview, name="simulate-preview"),
    path("md/<uuid:public_id>/", simulations.simulation, name="simulation"),
    path(
        "md/<uuid:public_id>/plots/<slug:name>/",
        simulations.simulation_plot,
        name="simulation-plot",
    ),
    path(
        "md/<uuid:public_id>/files/<slug:name>/",
        simulations.simulation_file,
        name="simulation-file",
    ),
    path("md/<uuid:public_id>/delete/", simulations.simulation_remove, name="simulation-delete"),
    path("md/<uuid:public_id>/player/", simulations.trajectory_view, name="trajectory-view"),
    path(
        "md/<uuid:public_id>/trajectory/<slug:kind>/",
        simulations.trajectory_download,
        name="trajectory",
    ),
    path("md/<uuid:public_id>/candidates/", candidates.candidates_compute, name="candidates"),
    path(
        "md/<uuid:public_id>/candidates/player/",
        candidates.candidates_view,
        name="candidates-view",
    ),
    path("md/<uuid:public_id>/structure/", simulations.save_structure, name="save-structure"),
]
