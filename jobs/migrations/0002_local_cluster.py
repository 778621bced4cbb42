"""Every site can run jobs on its own machine from the first minute."""

from django.db import migrations


def make_local(apps, schema_editor):
    apps.get_model("jobs", "Cluster").objects.get_or_create(
        name="local",
        defaults={
            "is_builtin": True,
            "visibility": "public",
            "transport": "local",
            "scheduler": "direct",
            "description": "The machine that the portal runs on.",
        },
    )


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]
    operations = [migrations.RunPython(make_local, migrations.RunPython.noop)]
