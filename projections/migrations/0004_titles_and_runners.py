"""Columns for titles that nobody gave, and for the runner of a call. What shows titles is rebuilt for it."""

from django.db import migrations, models

# Conversations without a title of their own now go by their first words. As a rebuild leaves its mark that was
# killed before it emptied the tables: the projection worker finishes it when it starts.
REBUILD = """
UPDATE projection_position SET position = -1, state = 'rebuilding', error = ''
WHERE name IN ('conversation_list', 'search')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("projections", "0003_search"),
    ]

    operations = [
        migrations.AddField("conversationlistrow", "title_is_given", models.BooleanField(default=False)),
        migrations.AddField("searchconversationrow", "title_is_given", models.BooleanField(default=False)),
        migrations.AddField("modelcallrow", "runner", models.TextField(null=True)),
        migrations.RunSQL(REBUILD, migrations.RunSQL.noop),
    ]
