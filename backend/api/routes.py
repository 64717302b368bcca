"""The addresses of commands and queries below /api/. Where both share one, the method tells them apart."""

from __future__ import annotations

from django.urls import path

from backend.api.command_views import (
    CancelModelCallView,
    ChangeConversationMixin,
    RegenerateReplyView,
    RestoreConversationView,
    SendUserMessageView,
    StartConversationMixin,
)
from backend.api.live import live
from backend.api.model_call_views import ModelCallListView, ModelCallView, PromptView
from backend.api.model_views import ModelListView
from backend.api.query_views import (
    ConversationEventsView,
    ListConversationsMixin,
    ReadConversationMixin,
    TranscriptView,
)

from backend.api.search_view import SearchView


class ConversationListView(StartConversationMixin, ListConversationsMixin):
    """POST starts a conversation, GET lists mine."""


class ConversationView(ChangeConversationMixin, ReadConversationMixin):
    """GET reads one, PATCH changes it, DELETE deletes it."""


_CONVERSATION = "conversations/<uuid:conversation_id>/"

urlpatterns = [
    path("conversations/", ConversationListView.as_view(), name="conversations"),
    path(_CONVERSATION, ConversationView.as_view(), name="conversation"),
    path(f"{_CONVERSATION}restore/", RestoreConversationView.as_view(), name="restore-conversation"),
    path(f"{_CONVERSATION}messages/", SendUserMessageView.as_view(), name="messages"),
    path(
        f"{_CONVERSATION}messages/<uuid:message_id>/regenerate/",
        RegenerateReplyView.as_view(),
        name="regenerate-reply",
    ),
    path(f"{_CONVERSATION}transcript/", TranscriptView.as_view(), name="transcript"),
    path(f"{_CONVERSATION}events/", ConversationEventsView.as_view(), name="conversation-events"),
    path("models/", ModelListView.as_view(), name="models"),
    path("model-calls/", ModelCallListView.as_view(), name="model-calls"),
    path("model-calls/<uuid:call_id>/", ModelCallView.as_view(), name="model-call"),
    path("model-calls/<uuid:call_id>/cancel/", CancelModelCallView.as_view(), name="cancel-model-call"),
    path("model-calls/<uuid:call_id>/prompt/", PromptView.as_view(), name="prompt"),
    path("search/", SearchView.as_view(), name="search"),
    path("live/", live, name="live"),
]
