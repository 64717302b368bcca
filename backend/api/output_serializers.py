"""How rows of read tables look in answers: field by field, so that the schema says it too.

Output only; nothing is validated and nothing is read here. The live stream uses the same classes, so a
row that arrives there equals the row a query gives.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from backend.api.people_shown import SomebodyOutput
from backend.api.serializers import ForkOriginOutput, SettingsOutput

ROLES = ("user", "assistant", "system", "tool")
_OUTCOMES = ("pending", "complete", "truncated", "cancelled", "interrupted", "failed")
_POSITION_HELP = "Of the read model, from the same moment as the rows."


class _Output(serializers.Serializer[Any]):
    """Base of what is only ever written."""


class OwnerOutput(_Output):
    id = serializers.UUIDField()
    display_name = serializers.CharField()


class _ConversationOutput(_Output):
    """Give the owner as context `owner`: the read table knows only the id."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    owner = serializers.SerializerMethodField()
    settings = SettingsOutput(source="*")
    version = serializers.IntegerField()
    selected_leaf_id = serializers.UUIDField(allow_null=True)
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    deleted = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(help_text="The last message, reply or rename.")
    message_count = serializers.IntegerField()
    pending_reply = serializers.BooleanField(help_text="A reply is being written.")

    @extend_schema_field(OwnerOutput)
    def get_owner(self, row: Any) -> dict[str, str]:
        owner: dict[str, str] = self.context["owner"]
        return owner


class ConversationRowOutput(_ConversationOutput):
    """A row of the list."""

    forked_from = ForkOriginOutput(allow_null=True)


class ForkSourceOutput(ForkOriginOutput):
    title = serializers.CharField(help_text="Of the source, as it is named now.")
    deleted = serializers.BooleanField(help_text="The source was deleted. The fork works as before.")
    message_number = serializers.IntegerField(
        help_text="Of the message the fork goes on from, counted from 1."
    )


class ConversationOutput(_ConversationOutput):
    """Give as context also `source`, the row of a fork's source, and `branches`, the counts of branches."""

    forked_from = serializers.SerializerMethodField()
    branch_count = serializers.SerializerMethodField(help_text="Branches in sight.")
    hidden_branch_count = serializers.SerializerMethodField()
    position = serializers.SerializerMethodField(help_text=_POSITION_HELP)

    @extend_schema_field(ForkSourceOutput(allow_null=True))
    def get_forked_from(self, row: Any) -> dict[str, Any] | None:
        if row.forked_from is None:
            return None
        source = self.context["source"]
        return {
            **row.forked_from,
            "title": source.title,
            "deleted": source.deleted,
            "message_number": self.context["branches"].fork_message_number,
        }

    def get_branch_count(self, row: Any) -> int:
        count: int = self.context["branches"].branch_count
        return count

    def get_hidden_branch_count(self, row: Any) -> int:
        count: int = self.context["branches"].hidden_branch_count
        return count

    def get_position(self, row: Any) -> str:
        position: str = self.context["position"]
        return position


class ReplyErrorOutput(_Output):
    code = serializers.CharField()
    message = serializers.CharField()


class UsageOutput(_Output):
    prompt_tokens = serializers.IntegerField(allow_null=True)
    completion_tokens = serializers.IntegerField(allow_null=True)


class ReplayTurnOutput(_Output):
    replay_id = serializers.UUIDField()
    turn = serializers.IntegerField(help_text="Counted from 1.")


class MessageOutput(_Output):
    """What a transcript tells of a message at any version."""

    id = serializers.UUIDField()
    parent_id = serializers.UUIDField(allow_null=True)
    role = serializers.ChoiceField(ROLES)
    content = serializers.CharField()
    reasoning = serializers.CharField()
    tool_calls = serializers.JSONField()
    outcome = serializers.ChoiceField(_OUTCOMES, allow_null=True, help_text="Null for a user's message.")
    error = ReplyErrorOutput(allow_null=True)
    call_id = serializers.UUIDField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    sibling_index = serializers.IntegerField(help_text="Counted from 0.")
    sibling_count = serializers.IntegerField()
    sibling_ids = serializers.ListField(child=serializers.UUIDField())
    at = serializers.DateTimeField()
    version = serializers.IntegerField()
    finish_reason = serializers.CharField(allow_null=True)
    conversation_id = serializers.UUIDField(help_text="Where the message was written.")
    inherited = serializers.BooleanField(
        help_text="Written in the conversation that this one was forked from."
    )
    continues = serializers.UUIDField(allow_null=True, help_text="The reply whose text goes on here.")
    hidden = serializers.BooleanField(help_text="All branches through it are hidden.")
    omitted_count = serializers.IntegerField(
        allow_null=True, help_text="Earlier messages that were not sent, since they did not fit."
    )
    replay = ReplayTurnOutput(allow_null=True, help_text="The turn of a replay that asked for this reply.")


class TranscriptRowOutput(MessageOutput):
    usage = UsageOutput(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    first_token_ms = serializers.IntegerField(allow_null=True)


class _PageOutput(_Output):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    position = serializers.CharField(help_text=_POSITION_HELP)


class ConversationPageOutput(_PageOutput):
    results = ConversationRowOutput(many=True)


class TranscriptPageOutput(_PageOutput):
    results = TranscriptRowOutput(many=True, help_text="Oldest first within the page.")
    leaf_id = serializers.UUIDField(allow_null=True, help_text="The end of the branch that is told.")
    selected_leaf_id = serializers.UUIDField(allow_null=True)


class TreeNodeOutput(_Output):
    id = serializers.UUIDField()
    parent_id = serializers.UUIDField(allow_null=True)
    role = serializers.ChoiceField(ROLES)
    at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(_OUTCOMES, allow_null=True)
    excerpt = serializers.CharField(help_text="How the text begins, on one line, at most 120 characters.")
    model = serializers.CharField(allow_null=True)
    call_id = serializers.UUIDField(allow_null=True)
    depth = serializers.IntegerField()
    version = serializers.IntegerField()
    continues = serializers.UUIDField(allow_null=True)
    replay = ReplayTurnOutput(allow_null=True)
    hidden = serializers.BooleanField()
    inherited = serializers.BooleanField()
    conversation_id = serializers.UUIDField()


class TreeOutput(_Output):
    results = TreeNodeOutput(many=True, help_text="Every message, parents before their children.")
    selected_leaf_id = serializers.UUIDField(allow_null=True)
    position = serializers.CharField(help_text=_POSITION_HELP)


class ReplayOutput(_Output):
    """How far a replay has come."""

    id = serializers.UUIDField()
    conversation_id = serializers.UUIDField()
    source_leaf_id = serializers.UUIDField(help_text="The end of the branch that is run again.")
    model = serializers.CharField()
    params = serializers.JSONField(help_text="Numbers as decimal texts, as they are stored.")
    system_prompt = serializers.CharField(allow_null=True, help_text="Null: the one in force.")
    state = serializers.ChoiceField(("running", "finished", "failed", "cancelled"))
    turns_done = serializers.IntegerField()
    turns_total = serializers.IntegerField()
    leaf_id = serializers.UUIDField(allow_null=True, help_text="The newest message of the new branch.")
    call_ids = serializers.ListField(child=serializers.UUIDField(), help_text="One for each turn begun.")
    error = ReplyErrorOutput(allow_null=True, help_text="Why a failed one stopped; it can be resumed.")
    requested_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class ReplayAnswerOutput(ReplayOutput):
    position = serializers.SerializerMethodField(help_text=_POSITION_HELP)

    def get_position(self, row: Any) -> str:
        position: str = self.context["position"]
        return position


class ReplayListOutput(_Output):
    results = ReplayOutput(many=True, help_text="Newest first.")
    position = serializers.CharField(help_text=_POSITION_HELP)


class LeafAsOfOutput(_Output):
    leaf_id = serializers.UUIDField()
    hidden = serializers.BooleanField()
    excerpt = serializers.CharField()
    at = serializers.DateTimeField()


class ConversationAsOfOutput(_Output):
    """A conversation right after one of its events."""

    version = serializers.IntegerField()
    latest_version = serializers.IntegerField()
    at = serializers.DateTimeField(help_text="When this version came about.")
    event = serializers.CharField(help_text="The topic of the event that made it.")
    title = serializers.CharField()
    settings = SettingsOutput()
    selected_leaf_id = serializers.UUIDField(allow_null=True)
    leaf_id = serializers.UUIDField(allow_null=True, help_text="The end of the branch that is told.")
    leaves = LeafAsOfOutput(many=True, help_text="The ends of all branches, oldest first.")
    deleted = serializers.BooleanField()


class AsOfPageOutput(_PageOutput):
    results = MessageOutput(many=True, help_text="Oldest first within the page.")
    conversation = ConversationAsOfOutput()


class StoredEventOutput(_Output):
    version = serializers.IntegerField()
    position = serializers.CharField()
    topic = serializers.CharField()
    at = serializers.CharField()
    payload = serializers.JSONField(help_text="The event as it is stored.")


class StoredEventPageOutput(_PageOutput):
    results = StoredEventOutput(many=True)


class AttemptOutput(_Output):
    """attempt 0: the call ended before any attempt had begun."""

    attempt = serializers.IntegerField()
    runner = serializers.CharField(allow_null=True)
    runner_version = serializers.CharField(allow_null=True)
    worker = serializers.CharField(allow_null=True)
    started_at = serializers.CharField(allow_null=True)
    ended_at = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(_OUTCOMES)
    duration_ms = serializers.IntegerField(allow_null=True)
    first_token_ms = serializers.IntegerField(allow_null=True)
    chunk_count = serializers.IntegerField()
    finish_reason = serializers.CharField(allow_null=True)
    error = serializers.JSONField(allow_null=True)


class EventPlaceOutput(_Output):
    event_id = serializers.UUIDField()
    version = serializers.IntegerField()
    topic = serializers.CharField()
    position = serializers.CharField()
    at = serializers.CharField()


class ErasureOutput(_Output):
    at = serializers.DateTimeField()
    by = serializers.CharField()
    reason = serializers.CharField()


class ModelCallRowOutput(_Output):
    """Give as context `people`: whose calls these are, by id, or None where that is not told."""

    id = serializers.UUIDField()
    user = serializers.SerializerMethodField(
        help_text="Whose call it is, for auditors and administrators; null for others."
    )
    owner_id = serializers.UUIDField()
    conversation_id = serializers.UUIDField(allow_null=True)
    reply_id = serializers.UUIDField(allow_null=True)
    purpose = serializers.CharField(help_text="reply, title, replay or external.")
    source = serializers.CharField(help_text="browser, api or openai.")  # type: ignore[assignment]  # a field of the answer, not DRF's `source`
    model = serializers.CharField()
    runner = serializers.CharField(
        allow_null=True, help_text="Where it goes; null for calls from before runners had names."
    )
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(_OUTCOMES)
    cancel_requested = serializers.BooleanField()
    duration_ms = serializers.IntegerField(allow_null=True)
    first_token_ms = serializers.IntegerField(allow_null=True)
    usage = UsageOutput(source="*")
    usage_source = serializers.CharField(help_text="runner, counted or none.")
    finish_reason = serializers.CharField(allow_null=True)
    error = serializers.JSONField(allow_null=True)
    erased = ErasureOutput(
        allow_null=True, help_text="Who erased what was said in it; null where nobody has."
    )

    @extend_schema_field(SomebodyOutput(allow_null=True))
    def get_user(self, row: Any) -> dict[str, Any] | None:
        people: dict[UUID, dict[str, Any]] | None = self.context["people"]
        return None if people is None else people[row.owner_id]


class ModelCallPageOutput(_PageOutput):
    results = ModelCallRowOutput(many=True)


class QueuePlaceOutput(_Output):
    place = serializers.IntegerField(
        allow_null=True, help_text="1 is next; null while it waits for its next attempt."
    )
    waiting = serializers.IntegerField(help_text="How many calls stand in line for this runner.")
    runner = serializers.CharField(allow_null=True)
    retry_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next attempt is made, where one failed and is made again."
    )


class ModelCallOutput(ModelCallRowOutput):
    queue = serializers.SerializerMethodField(help_text="Where it stands while it waits; null otherwise.")
    version = serializers.IntegerField()
    params = serializers.JSONField(help_text="Numbers as decimal texts, as they are stored.")
    leaf_id = serializers.UUIDField(allow_null=True)
    conversation_version = serializers.IntegerField()
    builder = serializers.CharField()
    serializer = serializers.CharField()
    trimming = serializers.JSONField(
        allow_null=True, help_text="Which earlier messages were not sent, and by which rule."
    )
    body_sha256 = serializers.CharField()
    body_length = serializers.IntegerField()
    chunk_count = serializers.IntegerField()
    delivered_characters = serializers.IntegerField()
    response_id = serializers.CharField(allow_null=True)
    response_model = serializers.CharField(allow_null=True)
    system_fingerprint = serializers.CharField(allow_null=True)
    attempts = AttemptOutput(many=True)
    events = EventPlaceOutput(many=True)
    position = serializers.SerializerMethodField(help_text=_POSITION_HELP)

    def get_position(self, row: Any) -> str:
        position: str = self.context["position"]
        return position

    @extend_schema_field(QueuePlaceOutput(allow_null=True))
    def get_queue(self, row: Any) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.context["queue"]
        return found


class PromptMessageOutput(_Output):
    role = serializers.CharField()
    content = serializers.JSONField(help_text="A text, or parts.")


class PromptOutput(_Output):
    """A call's request body as rebuilt from the events just now, beside what was recorded before it was sent."""

    messages = PromptMessageOutput(many=True)
    body = serializers.CharField()
    body_sha256 = serializers.CharField()
    recorded_sha256 = serializers.CharField()
    identical = serializers.BooleanField()
    omitted_count = serializers.IntegerField(allow_null=True)
    previous_call_id = serializers.UUIDField(
        allow_null=True, help_text="The call of the nearest earlier reply on that branch."
    )
    position = serializers.CharField(help_text=_POSITION_HELP)
