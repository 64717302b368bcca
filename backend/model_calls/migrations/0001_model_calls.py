"""The tables of the model-call worker: queue, leases, live text."""

from __future__ import annotations

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CallChunk",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "call_id", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("call_id", models.UUIDField()),
                ("seq", models.IntegerField()),
                ("attempt", models.IntegerField()),
                ("text", models.TextField(db_default="")),
                ("reasoning", models.TextField(db_default="")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "call_chunk",
            },
        ),
        migrations.CreateModel(
            name="ModelCallWorker",
            fields=[
                ("worker_id", models.TextField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("heartbeat_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("dead", models.BooleanField(db_default=False)),
            ],
            options={
                "db_table": "model_call_worker",
            },
        ),
        migrations.CreateModel(
            name="EndedCall",
            fields=[
                ("call_id", models.UUIDField(primary_key=True, serialize=False)),
                ("ended_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "call_chunk_end",
                "indexes": [models.Index(fields=["ended_at"], name="call_chunk_end_ended_at")],
            },
        ),
        migrations.CreateModel(
            name="ModelCallQueue",
            fields=[
                ("call_id", models.UUIDField(primary_key=True, serialize=False)),
                ("conversation_id", models.UUIDField(null=True)),
                ("owner_id", models.UUIDField()),
                ("queued_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("not_before", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("claimed_by", models.TextField(null=True)),
                ("claim", models.BigIntegerField(db_default=0)),
                ("claimed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "model_call_queue",
                "indexes": [
                    models.Index(
                        condition=models.Q(("claimed_by__isnull", True)),
                        fields=["queued_at", "call_id"],
                        name="model_call_queue_waiting",
                    ),
                    models.Index(fields=["claimed_by"], name="model_call_queue_claimed_by"),
                ],
            },
        ),
    ]
