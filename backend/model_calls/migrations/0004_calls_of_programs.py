"""Calls that only one worker can carry out, and where a program's messages go on from."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("model_calls", "0003_runners")]

    operations = [
        migrations.AddField("modelcallqueue", "for_worker", models.TextField(null=True)),
        migrations.CreateModel(
            name="ConversationPrefix",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "owner_id",
                        "chain",
                        "conversation_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("owner_id", models.UUIDField()),
                ("chain", models.BinaryField()),
                ("conversation_id", models.UUIDField()),
                ("message_id", models.UUIDField()),
                ("system_sha256", models.BinaryField()),
                ("kept_at", models.DateTimeField(db_default=Now())),
            ],
            options={"db_table": "conversation_prefix"},
        ),
    ]
