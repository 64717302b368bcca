"""Handlers of branches and forks: which branch is looked at, which are in sight, and where another one begins."""

from __future__ import annotations

from backend.application.answers import branch_body, conversation_body
from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import Answer, GoOnFrom
from backend.domain import commands as c
from backend.domain.conversation import Conversation
from backend.domain.values import check_title

FORK_SUFFIX = " (fork)"
FORK_TITLE_BYTES = 100
"""How much of the source's title a fork without one of its own takes over; keeps a fork a small event."""


@handler_of.register
def _(command: c.SelectBranch) -> Handle:
    def select_branch(handling: Handling) -> Answer:
        conversation = _own(command, handling)
        conversation.select_branch(command.leaf_id, handling.stamp)
        return handling.save(conversation, status=200, body=branch_body(conversation))

    return select_branch


@handler_of.register
def _(command: c.HideBranch) -> Handle:
    def hide_branch(handling: Handling) -> Answer:
        conversation = _own(command, handling)
        conversation.hide_branch(command.leaf_id, handling.stamp)
        return handling.save(conversation, status=200, body=branch_body(conversation))

    return hide_branch


@handler_of.register
def _(command: c.ShowBranch) -> Handle:
    def show_branch(handling: Handling) -> Answer:
        conversation = _own(command, handling)
        conversation.show_branch(command.leaf_id, handling.stamp)
        return handling.save(conversation, status=200, body=branch_body(conversation))

    return show_branch


@handler_of.register
def _(command: c.ForkConversation) -> Handle:
    title = None if command.title is None else check_title(command.title)

    def fork_conversation(handling: Handling) -> Answer:
        source = handling.load_own(command.conversation_id, command.owner_id).conversation
        fork = source.fork(
            conversation_id=handling.id_of("conversation"),
            message_id=command.message_id,
            title=title or _title_of_fork(source.title),
            stamp=handling.stamp,
        )
        return handling.save(fork, status=201, body=conversation_body(fork), companions=[GoOnFrom(source.id)])

    return fork_conversation


def _own(command: c.SelectBranch | c.HideBranch | c.ShowBranch, handling: Handling) -> Conversation:
    conversation = handling.load_own(command.conversation_id, command.owner_id).conversation
    conversation.check_version(command.expected_version)
    return conversation


def _title_of_fork(title: str) -> str:
    own = title.removesuffix(FORK_SUFFIX)
    if len(own.encode("utf-8")) > FORK_TITLE_BYTES:
        # Cutting between bytes may leave a part of the last character, which is left out.
        own = own.encode("utf-8")[:FORK_TITLE_BYTES].decode("utf-8", "ignore").rstrip() + "…"
    return own + FORK_SUFFIX
