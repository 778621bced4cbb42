"""Note the compositions and the periodicity of frames that were stored before these columns."""

from django.db import migrations

from datasets.packing import unpack_frame
from mlmd.documents.formula import formula_anonymous, formula_counts, formula_reduced
from mlmd.errors import InvalidInput


def note(apps, schema_editor):
    Frame = apps.get_model("datasets", "Frame")
    Document = apps.get_model("datasets", "FrameDocument")
    Composition = apps.get_model("datasets", "Composition")
    Share = apps.get_model("datasets", "CompositionShare")
    formulas = Frame.objects.order_by("formula").values_list("formula", flat=True).distinct()
    for formula in list(formulas):
        try:
            counts = formula_counts(formula)
        except InvalidInput:
            continue
        row = Composition.objects.create(
            formula=formula,
            formula_reduced=formula_reduced(counts),
            formula_anonymous=formula_anonymous(counts),
        )
        atoms = sum(counts.values())
        Share.objects.bulk_create(
            Share(composition=row, element=element, ratio=n / atoms)
            for element, n in counts.items()
        )
    # A volume is known where all three directions are periodic: only the rest must be opened.
    rest = Frame.objects.filter(volume_per_atom=None).values_list("pk", flat=True)
    for pk in list(rest):
        document = Document.objects.filter(pk=pk).first()
        if document is not None:
            periodic = sum(map(int, unpack_frame(document.content).pbc))
            Frame.objects.filter(pk=pk).update(n_periodic=periodic)


class Migration(migrations.Migration):
    dependencies = [("datasets", "0002_optimade")]
    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
