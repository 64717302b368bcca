"""Registers this package with Django."""

from __future__ import annotations

from django.apps import AppConfig


class EventStoreConfig(AppConfig):
    name = "backend.event_store"
    label = "event_store"
