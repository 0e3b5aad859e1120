"""Leases move from runs to nodes, which are executed side by side; runs know why they wait and where they come from.

A node that is running has no lease afterwards: the first sweep finds it lost, and it is tried again.
"""

import django.db.models.deletion
from django.db import migrations, models

from orchestrator.core.ids import uuid7
from orchestrator.core.tenancy import SameOrg


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0002_socket_tickets'),
        ('runs', '0004_versions_required'),
        ('versioning', '0002_versions'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='run',
            name='run_by_org',
        ),
        migrations.RemoveIndex(
            model_name='run',
            name='run_active',
        ),
        migrations.RemoveField(
            model_name='run',
            name='lease_expires_at',
        ),
        migrations.RemoveField(
            model_name='run',
            name='lease_holder',
        ),
        migrations.RemoveField(
            model_name='run',
            name='lease_token',
        ),
        migrations.AddField(
            model_name='run',
            name='cancel_requested_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='run',
            name='cancelled_by',
            field=models.CharField(blank=True, default='', max_length=80),
        ),
        migrations.AddField(
            model_name='run',
            name='definition_version',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='run',
            name='depth',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='run',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='run',
            name='forked_at',
            field=models.CharField(blank=True, default='', max_length=100),
        ),
        migrations.AddField(
            model_name='run',
            name='forked_from',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='forks', to='runs.run'),
        ),
        migrations.AddField(
            model_name='run',
            name='parent',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='children', to='runs.run'),
        ),
        migrations.AddField(
            model_name='run',
            name='parent_node',
            field=models.CharField(blank=True, default='', max_length=110),
        ),
        migrations.AddField(
            model_name='run',
            name='pins',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='run',
            name='priority',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='run',
            name='waiting_on',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='runnode',
            name='asks',
            field=models.CharField(blank=True, default='', max_length=200),
        ),
        migrations.AddField(
            model_name='runnode',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='runnode',
            name='lease_expires_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='runnode',
            name='lease_holder',
            field=models.CharField(blank=True, default='', max_length=200),
        ),
        migrations.AddField(
            model_name='runnode',
            name='queue',
            field=models.CharField(blank=True, default='', max_length=50),
        ),
        migrations.AddField(
            model_name='runnode',
            name='recoveries',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='runnode',
            name='sequence',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='runnode',
            name='token',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='runnode',
            name='waiting_on',
            field=models.JSONField(null=True),
        ),
        migrations.AlterField(
            model_name='runevent',
            name='node',
            field=models.CharField(max_length=110),
        ),
        migrations.AlterField(
            model_name='runevent',
            name='org',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.organization'),
        ),
        migrations.AlterField(
            model_name='runevent',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='runs.run'),
        ),
        migrations.AlterField(
            model_name='runnode',
            name='node',
            field=models.CharField(max_length=110),
        ),
        migrations.AlterField(
            model_name='runnode',
            name='org',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.organization'),
        ),
        migrations.AlterField(
            model_name='runnode',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='nodes', to='runs.run'),
        ),
        migrations.AlterField(
            model_name='runnode',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('waiting', 'Waiting'), ('completed', 'Completed'), ('failed', 'Failed'), ('skipped', 'Skipped'), ('cancelled', 'Cancelled')], max_length=10),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('parent__isnull', False)), fields=['parent', 'id'], name='run_by_parent'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('forked_from__isnull', False)), fields=['forked_from', 'id'], name='run_by_origin'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('status__in', ['queued', 'running', 'waiting'])), fields=['status', 'id'], name='run_active'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('status__in', ['queued', 'running', 'waiting'])), fields=['due_at'], name='run_due'),
        ),
        migrations.AddIndex(
            model_name='runnode',
            index=models.Index(fields=['run', 'sequence'], name='run_node_by_change'),
        ),
        migrations.AddIndex(
            model_name='runnode',
            index=models.Index(condition=models.Q(('status__in', ['pending', 'running', 'waiting'])), fields=['due_at'], name='run_node_due'),
        ),
        migrations.AddIndex(
            model_name='runnode',
            index=models.Index(condition=models.Q(('status', 'running')), fields=['lease_expires_at'], name='run_node_leased'),
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.UniqueConstraint(fields=('org', 'id'), name='run_of_org'),
        ),
        migrations.AddIndex(
            model_name='runnode',
            index=models.Index(condition=models.Q(('asks', ''), _negated=True), fields=['org', 'asks', 'id'], name='run_node_asks'),
        ),
        migrations.CreateModel(
            name='RunOutput',
            fields=[
                ('id', models.UUIDField(default=uuid7, editable=False, primary_key=True, serialize=False)),
                ('digest', models.CharField(max_length=71)),
                ('content', models.TextField()),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.organization')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='outputs', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'digest'), name='run_output_once')],
            },
        ),
        # SQLite makes the table anew, without its triggers.
        SameOrg("runs_run", "artifact_id", "versioning_artifact"),
        SameOrg("runs_run", "snapshot_id", "versioning_artifact"),
        SameOrg("runs_run", "parent_id", "runs_run"),
        SameOrg("runs_run", "forked_from_id", "runs_run"),
    ]
