"""The shape of the answer about models and their runners, described for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from backend.model_runner.runner_settings import KINDS


class ModelOutput(serializers.Serializer[Any]):
    id = serializers.CharField(
        help_text="To give where a model is chosen; NAME::MODEL where an earlier runner offers it too."
    )
    name = serializers.CharField(help_text="The name to show.")
    runner = serializers.CharField()
    context_tokens = serializers.IntegerField(allow_null=True, help_text="Prompt and reply together.")
    size_bytes = serializers.IntegerField(allow_null=True, help_text="Of its file, where the runner tells.")
    loaded = serializers.BooleanField(
        allow_null=True, help_text="Whether it is in memory, where the runner tells."
    )
    reachable = serializers.BooleanField(help_text="Whether its runner answers.")
    error = serializers.CharField(allow_null=True, help_text="Why this model cannot be used.")
    demonstration = serializers.BooleanField(help_text="A small model that shows that everything works.")
    default = serializers.BooleanField()


class RunnerOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    url = serializers.CharField()
    kind = serializers.CharField(help_text=f"One of {', '.join(KINDS)}.")
    limit = serializers.IntegerField(allow_null=True, help_text="Calls at the same time; null for no limit.")
    reachable = serializers.BooleanField()
    error = serializers.CharField(allow_null=True)
    models = serializers.IntegerField(help_text="How many it offers.")


class ModelListOutput(serializers.Serializer[Any]):
    results = ModelOutput(many=True)
    runners = RunnerOutput(many=True)
    position = serializers.CharField()
