"""Work out the measures of frames and calculations that were stored before these columns."""

from django.db import migrations

from datasets.packing import unpack_frame
from datasets.parser.measures import frame_measures, hubbard_words, run_type
from mlmd.documents import calculation_from_document
from mlmd.errors import MlmdError

BATCH = 500
COLUMNS = ["shortest_distance", "pressure", "k_spacing"]


def note(apps, schema_editor):
    from datasets.services.energies import energies_refer

    Frame = apps.get_model("datasets", "Frame")
    Document = apps.get_model("datasets", "FrameDocument")
    known = {}
    for row in apps.get_model("datasets", "Calculation").objects.order_by("pk"):
        try:
            calculation = calculation_from_document(row.document)
        except MlmdError:
            continue
        known[row.pk] = calculation
        row.hubbard, row.run_type = hubbard_words(calculation)[:200], run_type(calculation)
        row.save(update_fields=["hubbard", "run_type"])
    changes = ", ".join(f"{column} = %s" for column in COLUMNS)
    statement = f"UPDATE {Frame._meta.db_table} SET {changes} WHERE id = %s"  # noqa: S608 - names
    last = 0
    rows = Frame.objects.order_by("pk").values_list("pk", "calculation_id")
    while found := list(rows.filter(pk__gt=last)[:BATCH]):
        last = found[-1][0]
        calculation_of = {key: known[number] for key, number in found if number in known}
        documents = Document.objects.filter(frame_id__in=calculation_of).values_list(
            "frame_id", "content"
        )
        measured = []
        for key, content in documents:
            measures = frame_measures(unpack_frame(content, calculation_of[key]))
            measured.append([*(getattr(measures, column) for column in COLUMNS), key])
        # A prepared statement: one with a choice for each row takes minutes for a million.
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(statement, measured)
    for dataset in Frame.objects.order_by().values_list("dataset_id", flat=True).distinct():
        current = Frame.objects.filter(
            dataset_id=dataset, added_in__isnull=False, removed_in=None
        )
        energies_refer(current)


class Migration(migrations.Migration):
    dependencies = [("datasets", "0005_measures_of_frames")]
    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
