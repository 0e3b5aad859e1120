"""Patches to live runs, each on the record for ever."""

import django.db.models.deletion
import orchestrator.core.clock
import orchestrator.core.ids
from django.db import migrations, models

from orchestrator.core.tenancy import SameOrg


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0002_socket_tickets'),
        ('runs', '0006_jobs'),
        ('versioning', '0002_versions'),
    ]

    operations = [
        migrations.AlterField(
            model_name='runevent',
            name='phase',
            field=models.CharField(choices=[('started', 'Started'), ('completed', 'Completed'), ('failed', 'Failed'), ('retrying', 'Retrying'), ('skipped', 'Skipped'), ('waiting', 'Waiting'), ('cancelled', 'Cancelled'), ('patched', 'Patched')], max_length=10),
        ),
        migrations.CreateModel(
            name='RunPatch',
            fields=[
                ('id', models.UUIDField(default=orchestrator.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('operations', models.JSONField()),
                ('message', models.CharField(blank=True, default='', max_length=1000)),
                ('state', models.CharField(choices=[('proposed', 'Proposed'), ('accepted', 'Accepted'), ('rejected', 'Rejected'), ('reverted', 'Reverted')], max_length=8)),
                ('base_pins', models.JSONField(default=dict)),
                ('definition_version', models.PositiveIntegerField(null=True)),
                ('comment', models.CharField(blank=True, default='', max_length=1000)),
                ('created_by', models.CharField(max_length=80)),
                ('decided_by', models.CharField(blank=True, default='', max_length=80)),
                ('created_at', models.DateTimeField(default=orchestrator.core.clock.now)),
                ('decided_at', models.DateTimeField(null=True)),
                ('base', models.ForeignKey(on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='versioning.artifact')),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.organization')),
                ('result', models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='versioning.artifact')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='patches', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'number'), name='run_patch_number_once')],
            },
        ),
        SameOrg("runs_runpatch", "run_id", "runs_run"),
        SameOrg("runs_runpatch", "base_id", "versioning_artifact"),
        SameOrg("runs_runpatch", "result_id", "versioning_artifact"),
    ]
