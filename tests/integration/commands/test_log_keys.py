"""`manage.py prove` and `manage.py rotate_log_key`: proofs on the terminal, and keys that pass their trust on."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from backend.audit.checkpoints import open_checkpoint, parse_proof
from backend.audit.notes import Signer, Verifier
from backend.bootstrap import transparency
from backend.bootstrap.transparency import log_keys, transparency_log
from backend.config.audit_settings import AuditSettings
from tests.integration.commands.support import store
from tests.integration.commands.test_verify_log import verify_log
from tests.integration.projections.talk import Talk


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    told = Talk()
    told.say("Question")
    told.reply("Answer")
    store(told, fresh_database)
    return told


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path) -> object:
    """A DATA_DIR of this test's own, so that no other test sees its keys."""
    transparency.forget_keys()
    with override_settings(DATA_DIR=tmp_path):
        yield
    transparency.forget_keys()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.parametrize("event", ["requested", "terminal", "reply"])
def test_a_proof_is_printed(talk: Talk, event: str) -> None:
    call_id, _ = talk.story.calls[0]
    proof = parse_proof(run("prove", "call", str(call_id), "--event", event))
    assert open_checkpoint(proof.checkpoint, log_keys().verifiers).size > proof.index


def test_an_unknown_call_is_named(talk: Talk) -> None:
    call_id = uuid4()
    with pytest.raises(CommandError, match=str(call_id)):
        run("prove", "call", str(call_id))


def test_a_changed_key_goes_on_where_the_old_one_ended(talk: Talk, tmp_path: Path) -> None:
    transparency_log().checkpoint()
    old = log_keys().signer
    told = run("rotate_log_key")
    assert "signed by the old key and by the new one" in told
    assert old.secret_text() not in told
    transparency.forget_keys()
    new = log_keys()
    assert new.signer != old
    assert new.retired == [old.verifier]
    assert str(new.signer.verifier) in told
    bridge = transparency_log().checkpoint()
    assert bridge is not None
    assert open_checkpoint(bridge.note, [old.verifier]) == open_checkpoint(bridge.note, [new.signer.verifier])
    assert verify_log().status == 0
    assert verify_log("--key", str(new.signer.verifier)).status == 1, "the first one is by the old key alone"


def test_a_key_of_the_settings_is_handed_over_as_settings(talk: Talk, tmp_path: Path) -> None:
    signer = Signer.make("example.com/log")
    with override_settings(AUDIT=AuditSettings(signer.secret_text(), (), None, "")):
        told = run("rotate_log_key").splitlines()
    assert list(tmp_path.iterdir()) == [], "nothing is kept beside the settings"
    [key] = [line.partition("=")[2] for line in told if line.startswith("AUDIT_SIGNING_KEY=")]
    [retired] = [line.partition("=")[2] for line in told if line.startswith("AUDIT_RETIRED_KEYS=")]
    assert Signer.parse(key).name == signer.name
    assert Verifier.parse(retired) == signer.verifier
    with override_settings(AUDIT=AuditSettings(key, (retired,), None, "")):
        assert verify_log().status == 0


def test_a_key_that_cannot_be_read_is_said(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "audit_signing_key").write_text("broken")
    for command in (("rotate_log_key",), ("prove", "call", str(talk.story.calls[0][0])), ("verify", "log")):
        with pytest.raises(CommandError, match="from a backup"):
            run(*command)
