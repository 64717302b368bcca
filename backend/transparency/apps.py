"""Registers this package with Django."""

from __future__ import annotations

from django.apps import AppConfig


class TransparencyConfig(AppConfig):
    name = "backend.transparency"
    label = "transparency"
