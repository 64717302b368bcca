"""Signed notes: what others signed is read, what is signed here is read by others' rules, and nothing forged passes."""

from __future__ import annotations

import base64

import pytest

from backend.audit.notes import NoteError, Signer, Verifier, open_note, sign_note

# The example of the specification.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "\N{EM DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SIGNER = Signer("example.com/log", bytes(range(32)))
OTHER = Signer("example.com/log", bytes(range(1, 33)))
TEXT = "one\n\nthree\n"


def test_the_example_of_the_specification_holds() -> None:
    verifier = Verifier.parse(EXAMPLE_KEY)
    assert str(verifier) == EXAMPLE_KEY
    assert open_note(EXAMPLE_NOTE, [verifier]) == ("This is an example message.\n", [verifier])


def test_keys_are_read_as_they_are_written() -> None:
    assert Signer.parse(SIGNER.secret_text() + "\n") == SIGNER
    assert Verifier.parse(str(SIGNER.verifier)) == SIGNER.verifier
    made = Signer.make("example.com/new")
    assert Signer.parse(made.secret_text()) == made
    assert Signer.make("example.com/new") != made


def test_a_note_may_have_several_signatures_and_unknown_ones_are_passed_over() -> None:
    note = sign_note(TEXT, [SIGNER, OTHER])
    assert open_note(note, [OTHER.verifier]) == (TEXT, [OTHER.verifier])
    assert open_note(note, [SIGNER.verifier, OTHER.verifier]) == (TEXT, [SIGNER.verifier, OTHER.verifier])


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("one", "two"),
        lambda note: note.replace("one", "one "),
        lambda note: note.replace("\n\n", "\n", 1),
        lambda note: note[:-1],
        lambda note: note + "x",
        lambda note: note.replace("\N{EM DASH}", "-"),
        lambda note: note.replace("one", "on\te"),
        lambda note: note[:-6] + ("AAAA" if note[-6:-2] != "AAAA" else "BBBB") + note[-2:],
        lambda note: note.partition("\N{EM DASH}")[0],
        lambda note: note + 101 * note.split("\n\n")[-1],
        lambda note: "",
    ],
)
def test_a_note_that_was_changed_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(NoteError):
        open_note(change(sign_note(TEXT, [SIGNER])), [SIGNER.verifier])


def test_a_note_that_nobody_known_signed_is_refused() -> None:
    with pytest.raises(NoteError, match="Known: no key at all"):
        open_note(sign_note(TEXT, [SIGNER]), [])
    with pytest.raises(NoteError, match=OTHER.verifier.key_id.hex()):
        open_note(sign_note(TEXT, [SIGNER]), [OTHER.verifier])


def test_a_bad_signature_of_a_known_key_spoils_the_note_even_beside_a_good_one() -> None:
    bad = base64.b64encode(OTHER.verifier.key_id + bytes(64)).decode()
    note = sign_note(TEXT, [SIGNER]) + f"\N{EM DASH} {OTHER.name} {bad}\n"
    assert open_note(note, [SIGNER.verifier])[0] == TEXT
    with pytest.raises(NoteError, match="does not fit"):
        open_note(note, [SIGNER.verifier, OTHER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("+Aeky", "+Beky"),
        EXAMPLE_KEY[:-4],
        EXAMPLE_KEY + "?",
        EXAMPLE_KEY.replace("example.com/foo", "example com"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(text)


def test_what_is_no_signing_key_is_refused_without_showing_it() -> None:
    secret = SIGNER.secret_text()
    material = secret.rpartition("+")[2]
    for text in (
        "",
        "PRIVATE+KEY+x",
        secret.replace("PRIVATE", "PUBLIC"),
        secret[:-4],
        secret.replace("/log", "/other"),
    ):
        with pytest.raises(NoteError) as refusal:
            Signer.parse(text)
        assert material not in str(refusal.value)
        assert "rotate_log_key" in str(refusal.value)
    assert SIGNER.seed.hex() not in repr(SIGNER)
    assert repr(SIGNER.seed) not in repr(SIGNER)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_key_needs_a_name_that_fits_on_its_line(name: str) -> None:
    with pytest.raises(NoteError):
        Signer.make(name)


@pytest.mark.parametrize(("text", "signers"), [("no line break", [SIGNER]), (TEXT, [])])
def test_only_whole_notes_are_signed(text: str, signers: list[Signer]) -> None:
    with pytest.raises(NoteError):
        sign_note(text, signers)
