"""Readings through the audit; and indexes with which the ledger of all calls is quick, however it is asked."""

from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies = [
        ("projections", "0004_titles_and_runners"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditReadRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("reader_id", models.UUIDField()),
                ("conversation_id", models.UUIDField(null=True)),
                ("call_id", models.UUIDField(null=True)),
                ("what", models.CharField(max_length=32)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "read_audit_reads",
            },
        ),
        migrations.CreateModel(
            name="AuditTrailRow",
            fields=[
                ("stream_id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
            ],
            options={
                "db_table": "read_audit_trail",
            },
        ),
        migrations.RemoveIndex(
            model_name="modelcallrow",
            name="read_model_calls_conversation",
        ),
        migrations.AddIndex(
            model_name="modelcallrow",
            index=models.Index(
                fields=["conversation_id", "-requested_at", "-id"], name="read_model_calls_conversation"
            ),
        ),
        migrations.AddIndex(
            model_name="modelcallrow",
            index=models.Index(
                fields=[
                    "-requested_at",
                    "-id",
                    "owner_id",
                    "outcome",
                    "purpose",
                    "source",
                    "model",
                    "runner",
                    "duration_ms",
                    "first_token_ms",
                    "prompt_tokens",
                    "completion_tokens",
                ],
                name="read_model_calls_ledger",
            ),
        ),
        migrations.AddIndex(
            model_name="modelcallrow",
            index=models.Index(
                Coalesce("duration_ms", -1),
                models.F("id"),
                name="read_model_calls_duration",
            ),
        ),
        migrations.AddIndex(
            model_name="modelcallrow",
            index=models.Index(
                Coalesce("first_token_ms", -1),
                models.F("id"),
                name="read_model_calls_first_token",
            ),
        ),
        migrations.AddIndex(
            model_name="modelcallrow",
            index=models.Index(
                Coalesce("prompt_tokens", -1),
                models.F("id"),
                name="read_model_calls_prompt",
            ),
        ),
        migrations.AddIndex(
            model_name="modelcallrow",
            index=models.Index(
                Coalesce("completion_tokens", -1),
                models.F("id"),
                name="read_model_calls_completion",
            ),
        ),
        migrations.AddIndex(
            model_name="auditreadrow",
            index=models.Index(fields=["owner_id", "-at", "-id"], name="read_audit_reads_of_owner"),
        ),
    ]
