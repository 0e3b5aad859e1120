"""PostgreSQL changes a table only in another transaction than its rows."""

import django.db.models.deletion
from django.db import migrations, models

from orchestrator.core.tenancy import SameOrg


def reference():
    return models.ForeignKey(
        on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="versioning.artifact", db_index=False
    )


class Migration(migrations.Migration):
    dependencies = [("runs", "0003_versions")]

    operations = [
        migrations.RemoveField("run", "definition"),
        migrations.AlterField("run", "artifact", reference()),
        migrations.AlterField("run", "snapshot", reference()),
        migrations.AddIndex("run", models.Index(fields=["artifact", "id"], name="run_by_artifact")),
        migrations.AddIndex("run", models.Index(fields=["snapshot", "id"], name="run_by_snapshot")),
        SameOrg("runs_run", "artifact_id", "versioning_artifact"),
        SameOrg("runs_run", "snapshot_id", "versioning_artifact"),
    ]
