"""Runs name the version that they were started from and the snapshot that they are frozen to.

Runs from before versions have their definition's blob: it becomes the run_snapshot, and stands for the version, too.
"""

import json

import django.db.models.deletion
from django.db import migrations, models

from orchestrator.core.ids import uuid7


def snapshots(apps, schema_editor):
    Run, Artifact = apps.get_model("runs", "Run"), apps.get_model("versioning", "Artifact")
    frozen = Run.objects.order_by().values_list("definition_id", "org_id", "definition__digest", "definition__content")
    for blob_id, org_id, digest, content in frozen.distinct():
        nodes = json.loads(content)["nodes"]
        edges = sum(len(node.get("needs", [])) for node in nodes.values())
        counted = {"id": uuid7(), "blob_id": blob_id, "node_count": len(nodes), "edge_count": edges, "author": "system"}
        snapshot, _ = Artifact.objects.get_or_create(
            org_id=org_id, kind="run_snapshot", definition_digest=digest, defaults=counted
        )
        Run.objects.filter(definition_id=blob_id).update(artifact=snapshot, snapshot=snapshot)


def blobs(apps, schema_editor):
    Run = apps.get_model("runs", "Run")
    for snapshot_id, blob_id in Run.objects.order_by().values_list("snapshot_id", "snapshot__blob_id").distinct():
        Run.objects.filter(snapshot_id=snapshot_id).update(definition_id=blob_id)


def reference(**options):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="versioning.artifact", db_index=False, **options
    )


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_initial"), ("versioning", "0002_versions")]

    operations = [
        migrations.AddField("run", "artifact", reference(null=True)),
        migrations.AddField("run", "snapshot", reference(null=True)),
        migrations.AlterField(
            "run", "definition",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="versioning.blob"),
        ),
        migrations.RunPython(snapshots, blobs),
    ]
