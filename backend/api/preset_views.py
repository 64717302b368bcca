"""Presets: named settings of one's own. An ordinary table; conversations copy what they use of one."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend import bootstrap
from backend.accounts.models import Preset
from backend.api.asking import id_of_asking
from backend.api.input_fields import ParamsField, StrictSerializer, TextField
from backend.api.json_input import StrictJSONParser
from backend.api.read_side import AFTER_PARAMETER, NOT_FOUND_REFUSAL, QUERY_REFUSALS, after_position
from backend.api.serializers import refusal
from backend.domain.errors import InvalidInput, NotFound
from backend.domain.values import check_model, check_params, check_system_prompt, check_text

NAME_LIMIT: Final = 200
PRESETS_LIMIT: Final = 200

_REFUSALS = {
    **refusal(400, "A field does not fit; `errors` names it."),
    **refusal(401, "Not logged in."),
    **refusal(403, "The CSRF token is missing or wrong."),
    **refusal(413, "The request is larger than 1 MB."),
}


class UnknownPreset(NotFound):
    code = "preset_not_found"

    def __init__(self, preset_id: UUID) -> None:
        super().__init__(f"There is no preset {preset_id}. Reload the list of presets.")


class PresetNameTaken(InvalidInput):
    code = "preset_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"You have a preset named {name!r} already. Choose another name.", field="name")


class TooManyPresets(InvalidInput):
    code = "too_many_presets"

    def __init__(self) -> None:
        super().__init__(
            f"You have {PRESETS_LIMIT} presets, which is the limit. Delete one that you no longer use.",
            field="name",
        )


class PresetInput(StrictSerializer):
    name = TextField()
    system_prompt = TextField(required=False)
    model = TextField(required=False, help_text="Empty: none of its own.")
    params = ParamsField(required=False)


class ChangePresetInput(PresetInput):
    name = TextField(required=False)


class PresetOutput(serializers.ModelSerializer[Preset]):
    params = serializers.JSONField(help_text="Numbers as decimal texts, as they are stored.")

    class Meta:
        model = Preset
        fields = ["id", "name", "system_prompt", "model", "params", "created_at", "updated_at"]
        read_only_fields = fields


class PresetAnswerOutput(PresetOutput):
    position = serializers.CharField()

    class Meta(PresetOutput.Meta):
        fields = [*PresetOutput.Meta.fields, "position"]
        read_only_fields = fields


class PresetListOutput(serializers.Serializer[Any]):
    results = PresetOutput(many=True, help_text="In the order of their names.")
    position = serializers.CharField()


class PresetListView(APIView):
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="list_presets",
        parameters=[AFTER_PARAMETER],
        responses={200: PresetListOutput, **QUERY_REFUSALS},
    )
    def get(self, request: Request) -> Response:
        """My presets, in the order of their names."""
        after_position(request)
        found = _mine(request).order_by(Lower("name"))
        return Response({"results": PresetOutput(found, many=True).data, "position": _position()})

    @extend_schema(
        operation_id="make_preset", request=PresetInput, responses={201: PresetAnswerOutput, **_REFUSALS}
    )
    def post(self, request: Request) -> Response:
        """Make a preset."""
        fields = _checked(request, PresetInput)
        if _mine(request).count() >= PRESETS_LIMIT:
            raise TooManyPresets
        return _saved(Preset(user_id=id_of_asking(request), **fields), status=201)


class PresetView(APIView):
    parser_classes = [StrictJSONParser]

    @extend_schema(
        operation_id="change_preset",
        request=ChangePresetInput,
        responses={200: PresetAnswerOutput, **_REFUSALS, **NOT_FOUND_REFUSAL},
    )
    def patch(self, request: Request, preset_id: UUID) -> Response:
        """Change a preset; what is absent stays. Conversations that were begun with it stay as they are."""
        fields = _checked(request, ChangePresetInput)
        preset = _one(request, preset_id)
        for name, value in fields.items():
            setattr(preset, name, value)
        return _saved(preset, status=200)

    @extend_schema(operation_id="delete_preset", responses={204: None, **_REFUSALS, **NOT_FOUND_REFUSAL})
    def delete(self, request: Request, preset_id: UUID) -> Response:
        """Delete a preset. Conversations that were begun with it stay as they are."""
        _one(request, preset_id).delete()
        return Response(status=204)


def _checked(request: Request, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
    """The fields as they are stored, held to the same limits as a conversation's settings."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    fields = dict(serializer.validated_data)
    if "name" in fields:
        fields["name"] = _check_name(fields["name"])
    if "system_prompt" in fields:
        check_system_prompt(fields["system_prompt"])
    if fields.get("model"):
        fields["model"] = check_model(fields["model"])
    if "params" in fields:
        fields["params"] = check_params(fields["params"])
    return fields


def _check_name(name: str) -> str:
    trimmed = check_text(name, field="name", limit_bytes=4 * NAME_LIMIT).strip()
    if not 1 <= len(trimmed) <= NAME_LIMIT:
        raise InvalidInput(
            f"A preset's name has 1 to {NAME_LIMIT} characters; found {len(trimmed)}. Choose another name.",
            field="name",
        )
    return trimmed


def _mine(request: Request) -> QuerySet[Preset]:
    return Preset.objects.filter(user_id=id_of_asking(request))


def _one(request: Request, preset_id: UUID) -> Preset:
    preset = _mine(request).filter(id=preset_id).first()
    if preset is None:
        raise UnknownPreset(preset_id)
    return preset


def _saved(preset: Preset, *, status: int) -> Response:
    try:
        with transaction.atomic():
            preset.save()
    except IntegrityError as error:
        if "accounts_preset_name_unique" in str(error):
            raise PresetNameTaken(preset.name) from None
        raise
    return Response({**PresetOutput(preset).data, "position": _position()}, status=status)


def _position() -> str:
    return str(bootstrap.event_store().end())
