"""Registers this package with Django."""

from __future__ import annotations

from django.apps import AppConfig


class CommandsConfig(AppConfig):
    name = "backend.commands"
    label = "commands"
