"""The rows for what was pinned before: in a transaction of its own, as PostgreSQL alters no table with rows to check."""

import uuid

from django.db import migrations


def hold(apps, schema_editor):
    """What the runs and patches that there are have pinned, as far as it was not collected already."""
    run_pin = apps.get_model("runs", "RunPin")
    artifacts = apps.get_model("versioning", "Artifact").objects
    of_runs = apps.get_model("runs", "Run").objects.exclude(pins={}).values_list("id", "org_id", "pins")
    of_patches = apps.get_model("runs", "RunPatch").objects.exclude(base_pins={})
    for rows in (of_runs, of_patches.values_list("run_id", "org_id", "base_pins")):
        for run_id, org_id, pins in rows.iterator():
            ids = {uuid.UUID(pinned) for pin in pins.values() for pinned in pin.values()}
            there = artifacts.filter(pk__in=ids).values_list("pk", flat=True)
            run_pin.objects.bulk_create(
                [run_pin(run_id=run_id, org_id=org_id, artifact_id=each) for each in there], ignore_conflicts=True
            )


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0009_pins'),
    ]

    operations = [
        migrations.RunPython(hold, migrations.RunPython.noop),
    ]
