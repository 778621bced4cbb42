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
    last = 0
    while rows := list(Frame.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = rows[-1].pk
        documents = Document.objects.in_bulk([row.pk for row in rows])
        kept = [row for row in rows if row.pk in documents and row.calculation_id in known]
        for row in kept:
            frame = unpack_frame(documents[row.pk].content, known[row.calculation_id])
            measures = frame_measures(frame)
            for column in COLUMNS:
                setattr(row, column, getattr(measures, column))
        Frame.objects.bulk_update(kept, COLUMNS)
    for dataset in Frame.objects.order_by().values_list("dataset_id", flat=True).distinct():
        current = Frame.objects.filter(
            dataset_id=dataset, added_in__isnull=False, removed_in=None
        )
        energies_refer(current)


class Migration(migrations.Migration):
    dependencies = [("datasets", "0005_measures_of_frames")]
    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
