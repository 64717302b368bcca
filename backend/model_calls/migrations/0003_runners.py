"""Which runner a queued call goes to, and what comes before what."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("model_calls", "0002_replays")]

    operations = [
        migrations.CreateModel(
            name="Served",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "runner", "owner_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("runner", models.TextField()),
                ("owner_id", models.UUIDField()),
                ("at", models.DateTimeField()),
            ],
            options={"db_table": "model_call_served"},
        ),
        migrations.AddField("modelcallqueue", "runner", models.TextField(null=True)),
        migrations.AddField("modelcallqueue", "priority", models.SmallIntegerField(db_default=0)),
    ]
