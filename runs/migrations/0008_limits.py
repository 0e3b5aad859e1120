"""Slots: what limits runs, and how many of an org go on at once."""

import django.db.models.deletion
import orchestrator.core.clock
import orchestrator.core.ids
from django.db import migrations, models

from orchestrator.core.tenancy import SameOrg


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0002_socket_tickets'),
        ('runs', '0007_patches'),
    ]

    operations = [
        migrations.CreateModel(
            name='OrgLimits',
            fields=[
                ('org', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='identity.organization')),
                ('max_running_runs', models.PositiveIntegerField(null=True)),
                ('version', models.PositiveIntegerField(default=0)),
                ('updated_at', models.DateTimeField(default=orchestrator.core.clock.now)),
            ],
            options={
                'verbose_name_plural': 'org limits',
            },
        ),
        migrations.CreateModel(
            name='Slot',
            fields=[
                ('id', models.UUIDField(default=orchestrator.core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('scope', models.CharField(max_length=300)),
                ('lane', models.CharField(max_length=300)),
                ('policy', models.CharField(max_length=20)),
                ('priority', models.PositiveSmallIntegerField()),
                ('turn', models.IntegerField(default=0)),
                ('capacity', models.PositiveIntegerField()),
                ('number', models.PositiveIntegerField(null=True)),
                ('taken_at', models.DateTimeField(null=True)),
                ('org', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.organization')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='slots', to='runs.run')),
            ],
            options={
                'indexes': [
                    models.Index(condition=models.Q(('number__isnull', True)), fields=['org', 'scope', '-priority', 'turn', 'run'], name='slot_line'),
                    models.Index(fields=['org', 'scope', 'lane', 'priority', 'turn'], name='slot_turn'),
                    models.Index(condition=models.Q(('number__isnull', False)), fields=['run'], name='slot_held'),
                ],
                'constraints': [
                    models.UniqueConstraint(fields=('run', 'scope'), name='slot_once'),
                    models.UniqueConstraint(condition=models.Q(('number__isnull', False)), fields=('org', 'scope', 'number'), name='slot_number_once'),
                    models.CheckConstraint(condition=models.Q(('number__gte', 1), ('number__lte', models.F('capacity'))), name='slot_within_capacity'),
                ],
            },
        ),
        SameOrg("runs_slot", "run_id", "runs_run"),
        # Without a default, so that SQLite adds the column to the table as it is, with its triggers.
        migrations.AddField(
            model_name='run',
            name='limited',
            field=models.BooleanField(null=True),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('status', 'queued'), ('waiting_on__isnull', True)), fields=['-priority', 'id'], name='run_offered'),
        ),
    ]
