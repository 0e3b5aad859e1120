"""Versions that runs' pins name are kept by rows, so that they are found by an index and stay."""

import django.db.models.deletion
import orchestrator.core.ids
from django.db import migrations, models

from orchestrator.core.tenancy import SameOrg


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0002_socket_tickets'),
        ('runs', '0008_limits'),
        ('versioning', '0002_versions'),
    ]

    operations = [
        migrations.CreateModel(
            name='RunPin',
            fields=[
                ('id', models.UUIDField(default=orchestrator.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('artifact', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='versioning.artifact')),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.organization')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'artifact'), name='run_pin_once')],
            },
        ),
        SameOrg("runs_runpin", "run_id", "runs_run"),
        SameOrg("runs_runpin", "artifact_id", "versioning_artifact"),
    ]
