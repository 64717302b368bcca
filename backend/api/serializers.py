"""The request bodies of commands, and how each becomes a command.

A body says only what the person wants; whose it is and which conversation it is about comes from the
session and the address. No field is looked up, defaulted or corrected here.
"""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from backend.api.input_fields import (
    IdField,
    ParamsField,
    StrictSerializer,
    TextField,
    TrueOrFalseField,
    WholeNumberField,
)

_EXPECTED_VERSION_HELP = "Refuse with 409 version_conflict unless the conversation is at this version."


class NoInput(StrictSerializer):
    """A command whose address says everything."""


class StartConversationInput(StrictSerializer):
    title = TextField(required=False)
    system_prompt = TextField(required=False)
    model = TextField(required=False)
    params = ParamsField(required=False)


class SendUserMessageInput(StrictSerializer):
    content = TextField(help_text="At most 256 KB in UTF-8.")
    parent_id = IdField(
        required=False,
        allow_null=True,
        help_text="The message to answer. Absent: the last one of the selected branch. Null: a new beginning.",
    )
    model = TextField(required=False)
    params = ParamsField(required=False)
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class EditUserMessageInput(StrictSerializer):
    content = TextField(help_text="At most 256 KB in UTF-8.")
    model = TextField(required=False)
    params = ParamsField(required=False)
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class RegenerateReplyInput(StrictSerializer):
    model = TextField(required=False)
    params = ParamsField(required=False)
    tighter_cut = TrueOrFalseField(
        required=False,
        help_text="Leave out more of the earlier messages than the last call did; for a context_overflow.",
    )
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class OnlyExpectedVersionInput(StrictSerializer):
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class ContinueReplyInput(OnlyExpectedVersionInput):
    """The address names the reply."""


class SelectBranchInput(StrictSerializer):
    leaf_id = IdField(help_text="A message; where it is not a leaf, the newest visible branch through it.")
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class ForkConversationInput(StrictSerializer):
    message_id = IdField(help_text="The last message that the new conversation inherits.")
    title = TextField(required=False)


class StartReplayInput(StrictSerializer):
    """At least one of model, params and system_prompt."""

    model = TextField(required=False)
    params = ParamsField(required=False)
    system_prompt = TextField(required=False)
    leaf_id = IdField(required=False, help_text="The end of the branch; absent: the selected one.")
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class ChangeConversationInput(StrictSerializer):
    title = TextField(required=False)
    pinned = TrueOrFalseField(required=False)
    archived = TrueOrFalseField(required=False)
    system_prompt = TextField(required=False)
    model = TextField(required=False)
    params = ParamsField(required=False)
    expected_version = WholeNumberField(required=False, help_text=_EXPECTED_VERSION_HELP)


class SettingsOutput(serializers.Serializer[object]):
    system_prompt = serializers.CharField()
    model = serializers.CharField()
    params = ParamsField()


class ForkOriginOutput(serializers.Serializer[object]):
    """Where a fork goes on from."""

    conversation_id = serializers.UUIDField()
    version = serializers.IntegerField()
    message_id = serializers.UUIDField()


class ConversationChangedOutput(serializers.Serializer[object]):
    """A conversation right after a command, told by the aggregate itself."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    settings = SettingsOutput()
    version = serializers.IntegerField()
    selected_leaf_id = serializers.UUIDField(allow_null=True)
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    deleted = serializers.BooleanField()
    forked_from = ForkOriginOutput(allow_null=True)
    position = serializers.CharField(help_text="Give it to a query as ?after= to read at least this state.")


class MessageSentOutput(serializers.Serializer[object]):
    message_id = serializers.UUIDField()
    reply_id = serializers.UUIDField()
    call_id = serializers.UUIDField()
    version = serializers.IntegerField()
    position = serializers.CharField()


class ReplyRequestedOutput(serializers.Serializer[object]):
    reply_id = serializers.UUIDField()
    call_id = serializers.UUIDField()
    version = serializers.IntegerField()
    position = serializers.CharField()


class ReplyContinuedOutput(ReplyRequestedOutput):
    message_id = serializers.UUIDField(
        allow_null=True, help_text="The user message that asks to go on, where the runner needs one."
    )


class BranchChangedOutput(serializers.Serializer[object]):
    selected_leaf_id = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField()
    position = serializers.CharField()


class ReplayStartedOutput(serializers.Serializer[object]):
    replay_id = serializers.UUIDField()
    turns_total = serializers.IntegerField()
    version = serializers.IntegerField()
    position = serializers.CharField()


class ReplayResumedOutput(serializers.Serializer[object]):
    """Null where the turn itself could not be sent before; it is sent now."""

    reply_id = serializers.UUIDField(allow_null=True)
    call_id = serializers.UUIDField(allow_null=True)
    position = serializers.CharField()


class AcceptedOutput(serializers.Serializer[object]):
    position = serializers.CharField()


class ProblemOutput(serializers.Serializer[object]):
    """application/problem+json, as every refusal is answered."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]  # a field of the answer, not DRF's `errors`
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


PROBLEM_JSON = "application/problem+json"


def refusal(status: int, description: str) -> dict[tuple[int, str], OpenApiResponse]:
    """How a view's description says that it may answer with a problem, and when."""
    return {(status, PROBLEM_JSON): OpenApiResponse(ProblemOutput, description)}
