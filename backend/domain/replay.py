"""Where a replay stands: a branch's user messages sent again, turn by turn, as a new branch.

The conversation keeps one of these for each replay and asks it what is due. Ids of what a turn makes
follow from the replay and the turn, so that whoever repeats a step is refused by the tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from backend.domain.events import ReplyError
from backend.domain.message_tree import USER, MessageTree, Node
from backend.domain.outcomes import COMPLETE, TRUNCATED
from backend.domain.values import Params

RUNNING: Final = "running"
STOPPED: Final = "failed"
FINISHED: Final = "finished"
CANCELLED: Final = "cancelled"


@dataclass(frozen=True)
class Replay:
    """turn: the last one that was sent, 0 before the first. reply_id: the latest try at its reply.

    tries: how many replies that turn was asked for.
    """

    replay_id: UUID
    leaf_id: UUID
    model: str
    params: Params
    system_prompt: str | None
    turns_total: int
    state: str = RUNNING
    turn: int = 0
    tries: int = 0
    reply_id: UUID | None = None


@dataclass(frozen=True)
class SendTurn:
    """Send the user message `source_id` of the source branch again, below `parent_id`."""

    turn: int
    source_id: UUID
    parent_id: UUID | None


@dataclass(frozen=True)
class Finish:
    leaf_id: UUID


@dataclass(frozen=True)
class Stop:
    turn: int
    error: ReplyError


ReplayStep = SendTurn | Finish | Stop
"""What is due next."""


def message_id_of(replay_id: UUID, turn: int) -> UUID:
    return uuid5(replay_id, f"turn {turn}: message")


def reply_id_of(replay_id: UUID, turn: int, attempt: int) -> UUID:
    """attempt: counted from 1; more than one where a replay was resumed."""
    return uuid5(replay_id, f"turn {turn}: reply {attempt}")


def call_id_of(replay_id: UUID, turn: int, attempt: int) -> UUID:
    return uuid5(replay_id, f"turn {turn}: call {attempt}")


def turns_of(leaf_id: UUID | None, nodes: MessageTree) -> list[Node]:
    """The user messages of a branch, each of which a replay sends again."""
    return [node for node in nodes.path(leaf_id) if node.role == USER]


def can_go_on_from(replay: Replay, nodes: MessageTree) -> bool:
    """Whether the latest reply, if one was asked for, came to something that the next turn can follow."""
    return replay.reply_id is None or nodes[replay.reply_id].outcome in {COMPLETE, TRUNCATED}


def next_step(replay: Replay, nodes: MessageTree, *, deleted: bool) -> ReplayStep | None:
    """What is due next; None while a reply is being written, and for a replay that does not run."""
    if replay.state != RUNNING:
        return None
    reply = None if replay.reply_id is None else nodes[replay.reply_id]
    if reply is not None and reply.is_pending:
        return None
    if deleted:
        text = "The conversation was deleted. Restore it, then resume the replay."
        return Stop(max(replay.turn, 1), ReplyError("conversation_deleted", text))
    if reply is not None and not can_go_on_from(replay, nodes):
        text = (
            f"The reply to turn {replay.turn} of {replay.turns_total} ended as {reply.outcome}; it says why. "
            "Resume the replay to ask for it again."
        )
        return Stop(replay.turn, ReplyError(f"reply_{reply.outcome}", text))
    if reply is not None and replay.turn == replay.turns_total:
        return Finish(reply.message_id)
    source = turns_of(replay.leaf_id, nodes)[replay.turn]
    return SendTurn(replay.turn + 1, source.message_id, None if reply is None else reply.message_id)
