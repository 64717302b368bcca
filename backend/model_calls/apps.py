"""Registers the model-call worker's tables with Django."""

from __future__ import annotations

from django.apps import AppConfig


class ModelCallsConfig(AppConfig):
    name = "backend.model_calls"
    label = "model_calls"
    verbose_name = "Model calls"
