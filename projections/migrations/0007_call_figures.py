"""The figures of all calls, kept from now on and begun with the calls there are, as the projector would have counted them."""

from django.db import migrations, models

FILL = """
INSERT INTO read_model_call_figures (figure, runner, model, purpose, source, outcome, place, calls, total)
WITH ended AS (
    SELECT coalesce(runner, '') AS runner, model, purpose, source, outcome, prompt_tokens, completion_tokens, first_token_ms,
        CASE WHEN completion_tokens > 1 AND duration_ms > first_token_ms
            THEN (completion_tokens - 1) * 1000000 / (duration_ms - first_token_ms) END AS rate
    FROM read_model_calls WHERE outcome <> 'pending'
)
SELECT 'ended', runner, model, purpose, source, outcome, 0, count(*), 0 FROM ended GROUP BY 1, 2, 3, 4, 5, 6
UNION ALL
SELECT 'prompt_tokens', runner, model, '', '', '', 0, count(*), sum(prompt_tokens) FROM ended
WHERE prompt_tokens <> 0 GROUP BY 2, 3
UNION ALL
SELECT 'completion_tokens', runner, model, '', '', '', 0, count(*), sum(completion_tokens) FROM ended
WHERE completion_tokens <> 0 GROUP BY 2, 3
UNION ALL
SELECT 'first_token', runner, model, '', '', '',
    width_bucket(first_token_ms, '{51,101,251,501,1001,2501,5001,10001,30001,60001,300001}'::bigint[]),
    count(*), sum(first_token_ms) FROM ended WHERE first_token_ms IS NOT NULL GROUP BY 2, 3, 7
UNION ALL
SELECT 'rate', runner, model, '', '', '',
    width_bucket(rate, '{1001,2001,5001,10001,20001,50001,100001,200001,500001}'::bigint[]),
    count(*), sum(rate) FROM ended WHERE rate IS NOT NULL GROUP BY 2, 3, 7
"""


class Migration(migrations.Migration):
    dependencies = [
        ("projections", "0006_erasure"),
    ]

    operations = [
        migrations.CreateModel(
            name="CallFigureRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "figure",
                        "runner",
                        "model",
                        "purpose",
                        "source",
                        "outcome",
                        "place",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("figure", models.CharField(max_length=32)),
                ("runner", models.TextField()),
                ("model", models.TextField()),
                ("purpose", models.CharField(max_length=32)),
                ("source", models.CharField(max_length=32)),
                ("outcome", models.CharField(max_length=16)),
                ("place", models.IntegerField()),
                ("calls", models.BigIntegerField()),
                ("total", models.BigIntegerField()),
            ],
            options={
                "db_table": "read_model_call_figures",
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
