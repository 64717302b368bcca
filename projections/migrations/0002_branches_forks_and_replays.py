"""Columns for branches, forks and replays, and the table of replays. conversation_list is rebuilt for it."""

import django.contrib.postgres.fields
from django.db import migrations, models

# The table of settings must tell of every conversation there is, since each can be forked. As a rebuild leaves
# its mark that was killed before it emptied the tables: the projection worker finishes it when it starts.
REBUILD_CONVERSATION_LIST = """
UPDATE projection_position SET position = -1, state = 'rebuilding', error = '' WHERE name = 'conversation_list'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("projections", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReplayOwnerRow",
            fields=[
                ("conversation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
            ],
            options={
                "db_table": "read_replay_owner",
            },
        ),
        migrations.AddField(
            model_name="modelcallrow",
            name="trimming",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptheadrow",
            name="forked_from_conversation_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptheadrow",
            name="forked_from_depth",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptheadrow",
            name="forked_from_message_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptheadrow",
            name="forked_from_version",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptheadrow",
            name="hidden_leaf_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.UUIDField(), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="transcriptrow",
            name="continues",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptrow",
            name="omitted_count",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptrow",
            name="replay_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="transcriptrow",
            name="replay_turn",
            field=models.IntegerField(null=True),
        ),
        migrations.CreateModel(
            name="ConversationSettingsRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("conversation_id", models.UUIDField()),
                ("version", models.IntegerField()),
                ("model", models.TextField()),
                ("system_prompt", models.TextField()),
                ("params", models.JSONField()),
            ],
            options={
                "db_table": "read_conversation_settings",
                "indexes": [
                    models.Index(fields=["conversation_id", "version"], name="read_conversation_settings_at")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReplayRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("conversation_id", models.UUIDField()),
                ("owner_id", models.UUIDField()),
                ("source_leaf_id", models.UUIDField()),
                ("model", models.TextField()),
                ("params", models.JSONField()),
                ("system_prompt", models.TextField(null=True)),
                ("turns_total", models.IntegerField()),
                ("state", models.CharField(max_length=16)),
                ("leaf_id", models.UUIDField(null=True)),
                ("error", models.JSONField(null=True)),
                ("requested_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("version", models.IntegerField()),
            ],
            options={
                "db_table": "read_replays",
                "indexes": [
                    models.Index(fields=["conversation_id", "-version"], name="read_replays_conversation")
                ],
            },
        ),
        migrations.CreateModel(
            name="ReplayTryRow",
            fields=[
                ("reply_id", models.UUIDField(primary_key=True, serialize=False)),
                ("replay_id", models.UUIDField()),
                ("turn", models.IntegerField()),
                ("call_id", models.UUIDField()),
                ("outcome", models.CharField(max_length=16)),
                ("version", models.IntegerField()),
            ],
            options={
                "db_table": "read_replay_tries",
                "indexes": [
                    models.Index(fields=["replay_id", "turn", "-version"], name="read_replay_tries_turn")
                ],
            },
        ),
        migrations.RunSQL(REBUILD_CONVERSATION_LIST, migrations.RunSQL.noop),
    ]
