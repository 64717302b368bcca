"""Lists the tables of this app, so that Django finds them. Each is touched only in its own folder."""

from projections.audit_reads.read_table import AuditReadRow, AuditTrailRow
from projections.conversation_list.read_table import ConversationListRow, ConversationSettingsRow
from projections.live_changes.read_table import LiveChangeRow, LiveHorizonRow, LiveStreamRow
from projections.model_calls.read_table import CallFigureRow, ModelCallRow
from projections.position_table import ProjectionPosition
from projections.replays.read_table import ReplayOwnerRow, ReplayRow, ReplayTryRow
from projections.search.read_table import SearchConversationRow, SearchRow
from projections.transcript.read_table import TranscriptHeadRow, TranscriptRow

__all__ = [
    "AuditReadRow",
    "AuditTrailRow",
    "CallFigureRow",
    "ConversationListRow",
    "ConversationSettingsRow",
    "LiveChangeRow",
    "LiveHorizonRow",
    "LiveStreamRow",
    "ModelCallRow",
    "ProjectionPosition",
    "ReplayOwnerRow",
    "ReplayRow",
    "ReplayTryRow",
    "SearchConversationRow",
    "SearchRow",
    "TranscriptHeadRow",
    "TranscriptRow",
]
