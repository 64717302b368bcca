"""People as others see them beside a row: name and address, and of an account that is gone only the id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from rest_framework import serializers

from backend.accounts.models import User


class SomebodyOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.CharField(allow_null=True, help_text="Null where the account was removed.")
    display_name = serializers.CharField(allow_null=True, help_text="Null where the account was removed.")


def people_by_id(ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Each of these people, in one query."""
    wanted = set(ids)
    known = {
        person_id: {"id": str(person_id), "email": email, "display_name": name}
        for person_id, email, name in User.objects.filter(pk__in=wanted, deleted_at=None).values_list(
            "pk", "email", "display_name"
        )
    }
    return {
        person_id: known.get(person_id, {"id": str(person_id), "email": None, "display_name": None})
        for person_id in wanted
    }
