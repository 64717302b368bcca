"""Who may look at what belongs to somebody else, and the trace that it leaves.

The one place where content is handed to others than its owner. What is on record here was committed before anything
is shown; where that fails, so does the request, and nothing is shown.
"""

from __future__ import annotations

from uuid import UUID

from rest_framework.request import Request

from backend import bootstrap
from backend.accounts.models import User
from backend.api.asking import person_asking
from backend.domain.commands import RecordAuditRead
from backend.domain.errors import ModelCallIsErased, UnknownModelCall
from backend.domain.model_call import ModelCall
from projections.model_calls import queries as model_calls


def may_audit(person: User) -> bool:
    """Whether this person may look at everybody's calls: auditors and administrators."""
    return person.is_auditor or person.is_staff


def visible_owner(person: User) -> UUID | None:
    """Whose calls this person may see: their own, or with an auditor's rights everybody's (None)."""
    return None if may_audit(person) else person.pk


def may_read(request: Request, owner_id: UUID) -> bool:
    """Whether the person asking may read content of this owner: their own, or through the audit."""
    person = person_asking(request)
    return person.pk == owner_id or may_audit(person)


def call_to_read(request: Request, call_id: UUID) -> ModelCall:
    """A call whose content the person asking may read. Raises ModelCallIsErased; for all others UnknownModelCall."""
    try:
        call = bootstrap.event_store().read_call(call_id)
    except ModelCallIsErased as erased:
        # Whose it was is gone from its events; the ledger still says.
        if (
            model_calls.get_model_call(call_id=call_id, owner_id=visible_owner(person_asking(request)))
            is None
        ):
            raise UnknownModelCall(call_id) from erased
        raise
    if not may_read(request, call.owner_id):
        raise UnknownModelCall(call_id)
    return call


def put_on_record(
    request: Request,
    *,
    owner_id: UUID,
    what: str,
    conversation_id: UUID | None = None,
    call_id: UUID | None = None,
) -> None:
    """Record that the person asking is about to be shown this, unless it is their own. Call it last, then answer."""
    reader_id = person_asking(request).pk
    if reader_id == owner_id:
        return
    command = RecordAuditRead(reader_id, owner_id, what, conversation_id, call_id)
    bootstrap.run_command(command, actor=f"user:{reader_id}")
