"""The interface's addresses: accounts, commands, queries, their description, and health."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from backend.api.account_views import MeView, SetupView
from backend.api.docs_view import docs
from backend.api.health import healthz, readyz
from backend.api.metrics.view import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/me/", MeView.as_view(), name="me"),
    path("api/setup/", SetupView.as_view(), name="setup"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", docs, name="docs"),
    path("api/", include("backend.api.routes")),
]
