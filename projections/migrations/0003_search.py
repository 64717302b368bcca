"""The tables of search and the index over their words.

Each lexeme in the index begins with a tag of its owner, so nobody's words lengthen anybody else's search.
The function says that it is costly, so that the planner asks the index instead of computing it row by row.
"""

from django.db import migrations, models

_FUNCTION = """
CREATE FUNCTION read_search_lexemes(owner_id uuid, words text, stems text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000
AS $$
DECLARE
    tag text := left(owner_id::text, 6);
BEGIN
    RETURN array_to_tsvector(
        string_to_array(tag || replace(words || ' ' || stems, ' ', ' ' || tag), ' ')
    );
END
$$
"""

_INDEX = """
CREATE INDEX read_search_words ON read_search USING gin (read_search_lexemes(owner_id, words, stems))
WITH (fastupdate = on, gin_pending_list_limit = 256) WHERE words <> ''
"""


class Migration(migrations.Migration):
    dependencies = [("projections", "0002_branches_forks_and_replays")]

    operations = [
        migrations.CreateModel(
            name="SearchConversationRow",
            fields=[
                ("conversation_id", models.UUIDField(primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("title", models.TextField()),
                ("language", models.CharField(default="", max_length=2)),
                ("deleted", models.BooleanField(default=False)),
                ("version", models.IntegerField()),
            ],
            options={
                "db_table": "read_search_conversation",
                "indexes": [
                    models.Index(
                        condition=models.Q(deleted=True),
                        fields=["owner_id"],
                        name="read_search_conversation_gone",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SearchRow",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("conversation_id", models.UUIDField()),
                ("owner_id", models.UUIDField()),
                ("kind", models.CharField(max_length=9)),
                ("position", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("model", models.TextField(null=True)),
                ("outcome", models.CharField(max_length=16, null=True)),
                ("language", models.CharField(default="", max_length=2)),
                ("words", models.TextField(default="")),
                ("stems", models.TextField(default="")),
            ],
            options={
                "db_table": "read_search",
                "indexes": [
                    models.Index(fields=["owner_id", "position"], name="read_search_recent"),
                    models.Index(fields=["conversation_id"], name="read_search_conversation_id"),
                ],
            },
        ),
        migrations.RunSQL(_FUNCTION, "DROP FUNCTION read_search_lexemes(uuid, text, text)"),
        migrations.RunSQL(_INDEX, "DROP INDEX read_search_words"),
    ]
