"""The read models there are, by name. To add one, write its folder and name its projector here."""

from __future__ import annotations

from projections.audit_reads.projector import AuditReadsProjector
from projections.conversation_list.projector import ConversationListProjector
from projections.live_changes.projector import LiveChangesProjector
from projections.model_calls.projector import ModelCallsProjector
from projections.projector import Projector
from projections.replays.projector import ReplaysProjector
from projections.search.projector import SearchProjector
from projections.transcript.projector import TranscriptProjector

# live_changes comes late: when browsers hear of a change, the tables of their screens mostly have it already.
# Behind it is only search, which takes longest and which nobody looks at while a reply is written.
PROJECTORS: tuple[type[Projector], ...] = (
    ConversationListProjector,
    TranscriptProjector,
    ModelCallsProjector,
    ReplaysProjector,
    AuditReadsProjector,
    LiveChangesProjector,
    SearchProjector,
)


class UnknownReadModel(LookupError):
    """No read model has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no read model {name!r}. The known ones are: {', '.join(read_model_names())}."
        )


def read_model_names() -> tuple[str, ...]:
    return tuple(projector.name for projector in PROJECTORS)


def projector_named(name: str) -> type[Projector]:
    """Raises UnknownReadModel, listing the known names."""
    for projector in PROJECTORS:
        if projector.name == name:
            return projector
    raise UnknownReadModel(name)
