"""Registers this package with Django."""

from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "backend.api"
    label = "api"

    def ready(self) -> None:
        """Make the interface's description complete: its parts are found by being imported."""
        from backend.api import schema  # noqa: F401  imported for what it registers
