"""Pages of the room."""

from django.urls import URLPattern, URLResolver, include, path

from datasets.dft import views as dft
from datasets.views import (
    datasets,
    frames,
    maps,
    outliers,
    plots,
    pseudopotentials,
    schema,
    searches,
    structure_sets,
    structures,
    uploads,
    versions,
)

app_name = "datasets"
urlpatterns: list[URLPattern | URLResolver] = [
    path("structures/", structures.structure_list, name="structures"),
    path("structures/new/", structures.structure_new, name="structure-new"),
    path("structures/upload/", uploads.structure_upload, name="structure-upload"),
    path("structures/<uuid:public_id>/", structures.structure_detail, name="structure"),
    path(
        "structures/<uuid:public_id>/viewer/", structures.structure_viewer, name="structure-viewer"
    ),
    path(
        "structures/<uuid:public_id>/download/<str:file_format>/",
        structures.structure_download,
        name="structure-download",
    ),
    path(
        "structures/<uuid:public_id>/build/<str:builder>/",
        structures.structure_change,
        name="structure-build",
    ),
    path("structures/<uuid:public_id>/edit/", structures.structure_edit, name="structure-edit"),
    path(
        "structures/<uuid:public_id>/visibility/",
        structures.structure_visibility,
        name="structure-visibility",
    ),
    path(
        "structures/<uuid:public_id>/delete/", structures.structure_remove, name="structure-delete"
    ),
    path(
        "structures/<uuid:public_id>/set/",
        structure_sets.structure_set_new,
        name="structure-set-new",
    ),
    path(
        "structures/sets/<uuid:public_id>/",
        structure_sets.structure_set_detail,
        name="structure-set",
    ),
    path(
        "structures/sets/<uuid:public_id>/visibility/",
        structure_sets.structure_set_visibility,
        name="structure-set-visibility",
    ),
    path(
        "structures/sets/<uuid:public_id>/delete/",
        structure_sets.structure_set_remove,
        name="structure-set-delete",
    ),
    path(
        "data/<uuid:public_id>/structures/",
        structure_sets.structure_set_of_frames,
        name="frames-structures",
    ),
    path("pseudopotentials/", pseudopotentials.pseudo_families, name="pseudo-families"),
    path(
        "pseudopotentials/<uuid:public_id>/", pseudopotentials.pseudo_family, name="pseudo-family"
    ),
    path(
        "pseudopotentials/<uuid:public_id>/add/",
        pseudopotentials.pseudo_files_add,
        name="pseudo-files-add",
    ),
    path(
        "pseudopotentials/<uuid:public_id>/files/<str:element>/",
        pseudopotentials.pseudo_file,
        name="pseudo-file",
    ),
    path(
        "pseudopotentials/<uuid:public_id>/visibility/",
        pseudopotentials.pseudo_family_visibility,
        name="pseudo-family-visibility",
    ),
    path(
        "pseudopotentials/<uuid:public_id>/delete/",
        pseudopotentials.pseudo_family_remove,
        name="pseudo-family-delete",
    ),
    path("structures/compute/", dft.dft_new, name="dft-new"),
    path("structures/compute/preview/", dft.dft_preview, name="dft-preview"),
    path("dft/<uuid:public_id>/", dft.dft_detail, name="dft"),
    path("dft/<uuid:public_id>/retry/", dft.dft_again, name="dft-retry"),
    path("dft/<uuid:public_id>/continue/", dft.dft_go_on, name="dft-continue"),
    path("uploads/<uuid:public_id>/", uploads.upload_detail, name="upload-detail"),
    path("uploads/<uuid:public_id>/original/", uploads.upload_original, name="upload-original"),
    path("uploads/<uuid:public_id>/cancel/", uploads.upload_stop, name="upload-cancel"),
    path("uploads/<uuid:public_id>/retry/", uploads.upload_again, name="upload-retry"),
    path("uploads/<uuid:public_id>/delete/", uploads.upload_remove, name="upload-delete"),
    path("data/", datasets.dataset_list, name="list"),
    path("data/new/", datasets.dataset_new, name="new"),
    path("data/upload/", uploads.data_upload, name="upload"),
    path("data/silicon/", datasets.silicon_example, name="silicon"),
    path("data/schema/", schema.document_schema, name="schema"),
    path("data/schema/frame.json", schema.document_schema_file, name="schema-file"),
    path("data/frames/", frames.frame_catalog, name="frames"),
    path("data/frames/collect/", searches.frames_collect, name="collect"),
    path("data/frames/searches/", searches.saved_search_new, name="search-save"),
    path(
        "data/frames/searches/<uuid:public_id>/delete/",
        searches.saved_search_remove,
        name="search-delete",
    ),
    path("data/frames/download/<str:file_format>/", frames.frames_download, name="frames-download"),
    path("data/frames/<uuid:public_id>/", frames.frame_detail, name="frame"),
    path("data/frames/<uuid:public_id>/viewer/", frames.frame_viewer, name="frame-viewer"),
    path(
        "data/frames/<uuid:public_id>/download/<str:file_format>/",
        frames.frame_download,
        name="frame-download",
    ),
    path(
        "data/frames/<uuid:public_id>/structure/",
        frames.frame_to_structure,
        name="frame-structure",
    ),
    path("data/<uuid:public_id>/", datasets.dataset_detail, name="detail"),
    path("data/<uuid:public_id>/edit/", datasets.dataset_edit, name="edit"),
    path("data/<uuid:public_id>/publish/", datasets.dataset_publication, name="publish"),
    path("data/<uuid:public_id>/visibility/", datasets.dataset_visibility, name="visibility"),
    path("data/<uuid:public_id>/withdraw/", datasets.dataset_withdrawal, name="withdraw"),
    path("data/<uuid:public_id>/delete/", datasets.dataset_remove, name="delete"),
    path("data/<uuid:public_id>/map/", maps.dataset_map, name="map"),
    path("data/<uuid:public_id>/map/points/", maps.map_points, name="map-points"),
    path("data/<uuid:public_id>/map/region/", maps.map_region, name="map-region"),
    path("data/<uuid:public_id>/map/box/", maps.map_box, name="map-box"),
    path("data/<uuid:public_id>/outliers/", outliers.dataset_outliers, name="outliers"),
    path("data/<uuid:public_id>/compare/", versions.version_compare, name="compare"),
    path("data/<uuid:public_id>/history/", versions.dataset_audit, name="history"),
    path("data/<uuid:public_id>/plan/", versions.dataset_plan, name="plan"),
    path(
        "data/<uuid:public_id>/citation/<str:file_format>/",
        versions.version_citation,
        name="citation",
    ),
    path("data/<uuid:public_id>/exclude/", frames.frames_exclusion, name="exclude"),
    path(
        "data/<uuid:public_id>/download/<str:file_format>/",
        datasets.dataset_download,
        name="download",
    ),
    path("data/<uuid:public_id>/plots/<str:name>/", plots.dataset_plot, name="plot"),
    path("data/<uuid:public_id>/plots/<str:name>/csv/", plots.dataset_plot_csv, name="plot-csv"),
    path("optimade/", include("datasets.optimade.urls")),
]
