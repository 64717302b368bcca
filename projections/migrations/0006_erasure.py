"""What the ledger says of calls whose conversation was erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projections", "0005_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelcallrow",
            name="erased",
            field=models.JSONField(null=True),
        ),
    ]
