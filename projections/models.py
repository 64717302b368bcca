"""Lists the tables of this app, so that Django finds them. Each is touched only in its own folder."""

from projections.conversation_list.read_table import ConversationListRow
from projections.live_changes.read_table import LiveChangeRow, LiveHorizonRow, LiveStreamRow
from projections.model_calls.read_table import ModelCallRow
from projections.position_table import ProjectionPosition
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow

__all__ = [
    "ConversationListRow",
    "LiveChangeRow",
    "LiveHorizonRow",
    "LiveStreamRow",
    "ModelCallRow",
    "ProjectionPosition",
    "TranscriptHeadRow",
    "TranscriptRow",
]
