"""The addresses of commands and queries below /api/. Where both share one, the method tells them apart."""

from __future__ import annotations

from django.urls import path

from backend.api.audit_export_views import AuditExportView
from backend.api.audit_log_views import CheckpointView, LogStateView, ProofView
from backend.api.audit_views import AuditConversationEventsView, MyAuditReadsView
from backend.api.branch_views import (
    ContinueReplyView,
    EditUserMessageView,
    ForkConversationView,
    HideBranchView,
    SelectBranchView,
    ShowBranchView,
)
from backend.api.call_content_views import PromptView, RawPromptView, ReplyView
from backend.api.command_views import (
    CancelModelCallView,
    ChangeConversationMixin,
    RegenerateReplyView,
    RestoreConversationView,
    SendUserMessageView,
    StartConversationMixin,
)
from backend.api.export_views import ExportJsonView, ExportMarkdownView
from backend.api.live import live
from backend.api.model_call_views import ModelCallListView, ModelCallView
from backend.api.model_views import ModelListView
from backend.api.people_help_views import RemoveSecondFactorView, ResetPasswordView
from backend.api.people_views import PeopleView, PersonView
from backend.api.preset_views import PresetListView, PresetView
from backend.api.query_views import (
    ConversationEventsView,
    ListConversationsMixin,
    ReadConversationMixin,
    TranscriptView,
    TreeView,
)
from backend.api.replay_queries import ConversationReplaysView, ReplayView
from backend.api.replay_views import CancelReplayView, ResumeReplayView, StartReplayView
from backend.api.search_view import SearchView
from backend.api.second_factor_views import SecondFactorPictureView
from backend.api.sign_on_view import SignOnView
from backend.api.time_views import ConversationAsOfView
from backend.api.token_views import TokenListView, TokenView


class ConversationListView(StartConversationMixin, ListConversationsMixin):
    """POST starts a conversation, GET lists mine."""


class ConversationView(ChangeConversationMixin, ReadConversationMixin):
    """GET reads one, PATCH changes it, DELETE deletes it."""


_CONVERSATION = "conversations/<uuid:conversation_id>/"
_MESSAGE = f"{_CONVERSATION}messages/<uuid:message_id>/"
_BRANCH = f"{_CONVERSATION}branches/<uuid:leaf_id>/"

urlpatterns = [
    path("conversations/", ConversationListView.as_view(), name="conversations"),
    path(_CONVERSATION, ConversationView.as_view(), name="conversation"),
    path(f"{_CONVERSATION}restore/", RestoreConversationView.as_view(), name="restore-conversation"),
    path(f"{_CONVERSATION}messages/", SendUserMessageView.as_view(), name="messages"),
    path(f"{_MESSAGE}edit/", EditUserMessageView.as_view(), name="edit-user-message"),
    path(f"{_MESSAGE}regenerate/", RegenerateReplyView.as_view(), name="regenerate-reply"),
    path(f"{_MESSAGE}continue/", ContinueReplyView.as_view(), name="continue-reply"),
    path(f"{_CONVERSATION}select-branch/", SelectBranchView.as_view(), name="select-branch"),
    path(f"{_BRANCH}hide/", HideBranchView.as_view(), name="hide-branch"),
    path(f"{_BRANCH}show/", ShowBranchView.as_view(), name="show-branch"),
    path(f"{_CONVERSATION}fork/", ForkConversationView.as_view(), name="fork-conversation"),
    path(f"{_CONVERSATION}replay/", StartReplayView.as_view(), name="start-replay"),
    path(f"{_CONVERSATION}replays/", ConversationReplaysView.as_view(), name="conversation-replays"),
    path("replays/<uuid:replay_id>/", ReplayView.as_view(), name="replay"),
    path("replays/<uuid:replay_id>/cancel/", CancelReplayView.as_view(), name="cancel-replay"),
    path("replays/<uuid:replay_id>/resume/", ResumeReplayView.as_view(), name="resume-replay"),
    path(f"{_CONVERSATION}transcript/", TranscriptView.as_view(), name="transcript"),
    path(f"{_CONVERSATION}tree/", TreeView.as_view(), name="tree"),
    path(f"{_CONVERSATION}at/<int:version>/", ConversationAsOfView.as_view(), name="conversation-as-of"),
    path(f"{_CONVERSATION}events/", ConversationEventsView.as_view(), name="conversation-events"),
    path(f"{_CONVERSATION}export/markdown/", ExportMarkdownView.as_view(), name="export-markdown"),
    path(f"{_CONVERSATION}export/json/", ExportJsonView.as_view(), name="export-json"),
    path("presets/", PresetListView.as_view(), name="presets"),
    path("presets/<uuid:preset_id>/", PresetView.as_view(), name="preset"),
    path("tokens/", TokenListView.as_view(), name="tokens"),
    path("tokens/<str:token_id>/", TokenView.as_view(), name="token"),
    path("models/", ModelListView.as_view(), name="models"),
    path("model-calls/", ModelCallListView.as_view(), name="model-calls"),
    path("model-calls/<uuid:call_id>/", ModelCallView.as_view(), name="model-call"),
    path("model-calls/<uuid:call_id>/cancel/", CancelModelCallView.as_view(), name="cancel-model-call"),
    path("model-calls/<uuid:call_id>/prompt/", PromptView.as_view(), name="prompt"),
    path("model-calls/<uuid:call_id>/proof/", ProofView.as_view(), name="model-call-proof"),
    path("audit/export/", AuditExportView.as_view(), name="audit-export"),
    path("audit/log/", LogStateView.as_view(), name="audit-log"),
    path("audit/checkpoint/", CheckpointView.as_view(), name="audit-checkpoint"),
    path("model-calls/<uuid:call_id>/reply/", ReplyView.as_view(), name="call-reply"),
    path("model-calls/<uuid:call_id>/raw/", RawPromptView.as_view(), name="raw-prompt"),
    path(f"audit/{_CONVERSATION}events/", AuditConversationEventsView.as_view(), name="audited-events"),
    path("me/audit-reads/", MyAuditReadsView.as_view(), name="my-audit-reads"),
    path("sign-on/", SignOnView.as_view(), name="sign-on"),
    path("me/second-factor/picture/", SecondFactorPictureView.as_view(), name="second-factor-picture"),
    path("users/", PeopleView.as_view(), name="users"),
    path("users/<uuid:user_id>/", PersonView.as_view(), name="user"),
    path("users/<uuid:user_id>/reset-password/", ResetPasswordView.as_view(), name="reset-password"),
    path(
        "users/<uuid:user_id>/remove-second-factor/",
        RemoveSecondFactorView.as_view(),
        name="remove-second-factor",
    ),
    path("search/", SearchView.as_view(), name="search"),
    path("live/", live, name="live"),
]
