"""The tables of the read models and of their positions. They hold nothing that the events do not."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="LiveHorizonRow",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("pruned_through", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "read_live_horizon",
            },
        ),
        migrations.CreateModel(
            name="LiveStreamRow",
            fields=[
                ("stream_id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("conversation_id", models.UUIDField(null=True)),
                ("reply_id", models.UUIDField(null=True)),
                ("ended_position", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "read_live_stream",
            },
        ),
        migrations.CreateModel(
            name="ProjectionPosition",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0)),
                ("state", models.CharField(default="running", max_length=16)),
                ("error", models.TextField(blank=True, default="")),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "projection_position",
            },
        ),
        migrations.CreateModel(
            name="TranscriptHeadRow",
            fields=[
                ("conversation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("selected_leaf_id", models.UUIDField(null=True)),
                ("version", models.IntegerField()),
            ],
            options={
                "db_table": "read_transcript_head",
            },
        ),
        migrations.CreateModel(
            name="ConversationListRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("title", models.TextField()),
                ("model", models.TextField(default="")),
                ("system_prompt", models.TextField(default="")),
                ("params", models.JSONField(default=dict)),
                ("version", models.IntegerField()),
                ("selected_leaf_id", models.UUIDField(null=True)),
                ("pinned", models.BooleanField(default=False)),
                ("archived", models.BooleanField(default=False)),
                ("deleted", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("message_count", models.IntegerField(default=0)),
                ("pending_replies", models.IntegerField(default=0)),
                ("forked_from", models.JSONField(null=True)),
            ],
            options={
                "db_table": "read_conversation_list",
                "indexes": [
                    models.Index(
                        fields=["owner_id", "-updated_at", "-id"], name="read_conversation_list_recent"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LiveChangeRow",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("conversation_id", models.UUIDField(null=True)),
                ("kind", models.CharField(max_length=64)),
                ("data", models.JSONField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "read_live_changes",
                "indexes": [models.Index(fields=["owner_id", "position"], name="read_live_changes_owner")],
            },
        ),
        migrations.CreateModel(
            name="ModelCallRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("conversation_id", models.UUIDField(null=True)),
                ("reply_id", models.UUIDField(null=True)),
                ("version", models.IntegerField()),
                ("purpose", models.CharField(max_length=32)),
                ("source", models.CharField(max_length=32)),
                ("model", models.TextField()),
                ("params", models.JSONField()),
                ("leaf_id", models.UUIDField(null=True)),
                ("conversation_version", models.IntegerField()),
                ("builder", models.TextField()),
                ("serializer", models.TextField()),
                ("body_sha256", models.TextField()),
                ("body_length", models.BigIntegerField()),
                ("requested_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(max_length=16)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("attempts", models.JSONField(default=list)),
                ("prompt_tokens", models.BigIntegerField(null=True)),
                ("completion_tokens", models.BigIntegerField(null=True)),
                ("usage_source", models.CharField(default="none", max_length=16)),
                ("duration_ms", models.BigIntegerField(null=True)),
                ("first_token_ms", models.BigIntegerField(null=True)),
                ("chunk_count", models.BigIntegerField(default=0)),
                ("delivered_characters", models.BigIntegerField(default=0)),
                ("finish_reason", models.TextField(null=True)),
                ("response_id", models.TextField(null=True)),
                ("response_model", models.TextField(null=True)),
                ("system_fingerprint", models.TextField(null=True)),
                ("error", models.JSONField(null=True)),
                ("events", models.JSONField(default=list)),
            ],
            options={
                "db_table": "read_model_calls",
                "indexes": [
                    models.Index(fields=["owner_id", "-requested_at", "-id"], name="read_model_calls_recent"),
                    models.Index(fields=["conversation_id"], name="read_model_calls_conversation"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TranscriptRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("conversation_id", models.UUIDField()),
                ("parent_id", models.UUIDField(null=True)),
                ("role", models.CharField(max_length=16)),
                ("content", models.TextField(default="")),
                ("reasoning", models.TextField(default="")),
                ("tool_calls", models.JSONField(default=list)),
                ("outcome", models.CharField(max_length=16, null=True)),
                ("error", models.JSONField(null=True)),
                ("call_id", models.UUIDField(null=True)),
                ("model", models.TextField(null=True)),
                ("depth", models.IntegerField()),
                ("at", models.DateTimeField()),
                ("version", models.IntegerField()),
                ("prompt_tokens", models.BigIntegerField(null=True)),
                ("completion_tokens", models.BigIntegerField(null=True)),
                ("duration_ms", models.BigIntegerField(null=True)),
                ("first_token_ms", models.BigIntegerField(null=True)),
                ("finish_reason", models.TextField(null=True)),
            ],
            options={
                "db_table": "read_transcript",
                "indexes": [
                    models.Index(
                        fields=["conversation_id", "parent_id", "version"], name="read_transcript_siblings"
                    ),
                    models.Index(fields=["call_id"], name="read_transcript_call"),
                ],
            },
        ),
    ]
