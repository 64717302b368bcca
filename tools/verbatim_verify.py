#!/usr/bin/env python3
"""Checks an audit bundle that Verbatim exported, without Verbatim and without its database.

    python verbatim_verify.py BUNDLE.zip --key VERIFIER_KEY [--checkpoint FILE ...]

Needs Python 3.9 or newer and the package `cryptography`. Reads files, writes to the terminal, opens no connection.
Get the verifier key and, if you keep any, earlier checkpoints from somewhere else than the bundle: whoever could
change the bundle could change the copies in it too.

What is checked
  1. Every file has the digest that manifest.json gives, and the manifest is signed by the key.
  2. The checkpoint (a C2SP tlog-checkpoint: origin, number of events, Merkle root) is signed by the key.
  3. Every event's inclusion proof (RFC 6962) leads from its digest, stream, version and topic to that root.
  4. Events stand in the order of the log, and every stream has all of its versions.
  5. The log grew out of each earlier checkpoint: those in the bundle and those that you kept.
  6. What each model call sent, rebuilt here from the events, has the SHA-256 and length recorded before it was sent.
  7. Each attempt of a call ended once, and a call's end and its reply are both there.
What cannot be checked: events outside the bundle, unless it holds the whole log; clocks; what a model did inside.

One line per problem, then a summary. Exit status: 0 all holds, 1 something does not, 2 the bundle cannot be read.

This file shares no code with Verbatim on purpose: it is a second implementation of the same rules.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "verbatim-bundle/1"
FILES = (
    "README.txt", "checkpoint", "consistency.jsonl", "events.jsonl",
    "keys", "proofs.jsonl", "streams.jsonl", "verbatim_verify.py",
)  # fmt: skip
LONGEST_LINE = 64 * 1024 * 1024
LONGEST_TEXT = 4 * 1024 * 1024
MOST_PROBLEMS = 1000
MOST_OUT_OF_STEP = 100_000
NONSENSE = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What values raise that are of the wrong kind, beyond all measure, or nested too deeply."""


class Wrong(Exception):
    """Something is not as it must be; the text says what."""


class UnknownSigner(Wrong):
    """Nobody whose key was given signed it."""


class Unreadable(Exception):
    """The bundle cannot be read at all."""


class NotToTheEnd(Exception):
    """There is no sense in reading on; why was said."""


def say(text: str) -> None:
    """Print one line. What a bundle says must not move the cursor, begin another line, or fail to be printed."""
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    print(text.encode(encoding, "backslashreplace").decode(encoding))


# ---- Signatures (C2SP signed-note, Ed25519) ------------------------------------------------------


@dataclass(frozen=True)
class Key:
    name: str
    key_id: bytes
    public: Ed25519PublicKey


def parse_key(text: str) -> Key:
    """Read `name+hash+base64`, as the log hands it out."""
    try:
        name, key_hash, material = text.strip().split("+", 2)
        raw = base64.b64decode(material, validate=True)
        if len(raw) != 33 or raw[0] != 1:
            raise ValueError("it is not an Ed25519 key")
        key_id = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if key_id.hex() != key_hash.lower():
            raise ValueError(f"its hash is {key_id.hex()}, not {key_hash}")
        return Key(name, key_id, Ed25519PublicKey.from_public_bytes(raw[1:]))
    except ValueError as error:
        raise Unreadable(f"{text[:60]!r} is not a verifier key (name+hash+base64): {error}") from None


def signed_text(note: str, keys: list[Key]) -> tuple[str, Key]:
    """The text of a note and the key that signed it. Raises Wrong where none of the keys did."""
    text, blank, below = note.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise Wrong("it is not a signed note")
    text += "\n"
    for line in below.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise Wrong(f"the signature line {line[:60]!r} cannot be read") from None
        if dash != "\u2014":
            raise Wrong(f"{line[:60]!r} is not a signature line")
        for key in keys:
            if (key.name, key.key_id) == (name, raw[:4]):
                try:
                    key.public.verify(raw[4:], text.encode())
                except InvalidSignature:
                    raise Wrong(f"the signature of {name} does not fit the text") from None
                return text, key
    known = ", ".join(f"{key.name} ({key.key_id.hex()})" for key in keys)
    raise UnknownSigner(f"none of the given keys signed it; given: {known}")


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def read_checkpoint(note: str, keys: list[Key]) -> Checkpoint:
    text, key = signed_text(note, keys)
    lines = text.split("\n")
    if len(lines) < 4 or not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]):
        raise Wrong("it is not a checkpoint: origin, size and root are expected, a line each")
    if key.name != lines[0]:
        raise Wrong(f"it is of {lines[0]}, but signed by {key.name}")
    return Checkpoint(lines[0], int(lines[1]), as_hash(lines[2]))


# ---- The Merkle tree (RFC 6962, section 2.1) -----------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def as_hash(text: Any) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raw = b""
    if len(raw) != 32:
        raise Wrong(f"{str(text)[:60]!r} is not a hash")
    return raw


def left_part(size: int) -> int:
    """How many leaves the left half of a tree has: the largest power of two below its size."""
    return 1 << ((size - 1).bit_length() - 1)


def root_of_inclusion(leaf: bytes, index: int, size: int, hashes: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to. Walks down from the root to the leaf, then hashes back up."""
    if not 0 <= index < size:
        raise Wrong(f"a log of {size} events has no index {index}")
    goes_right = []
    while size > 1:
        half = left_part(size)
        goes_right.append(index >= half)
        index, size = (index - half, size - half) if index >= half else (index, half)
    if len(hashes) != len(goes_right):
        raise Wrong(f"its proof has {len(hashes)} hashes, {len(goes_right)} are expected")
    found = leaf
    for beside, is_right in zip(hashes, reversed(goes_right)):
        found = sha256(b"\x01" + beside + found) if is_right else sha256(b"\x01" + found + beside)
    return found


def check_consistency(old: Checkpoint, new: Checkpoint, hashes: list[bytes]) -> None:
    """That the log of `new` begins with the log of `old`."""
    left = list(hashes)

    def roots(old_size: int, new_size: int, whole: bool) -> tuple[bytes, bytes]:
        """What the proof says of one part: its root then and its root now. The outermost hash comes last."""
        if old_size == new_size and whole:
            return old.root, old.root
        if not left:
            raise Wrong("the consistency proof is too short")
        beside = left.pop()
        if old_size == new_size:
            return beside, beside
        half = left_part(new_size)
        if old_size <= half:
            then, now = roots(old_size, half, whole)
            return then, sha256(b"\x01" + now + beside)
        then, now = roots(old_size - half, new_size - half, False)
        return sha256(b"\x01" + beside + then), sha256(b"\x01" + beside + now)

    if not 0 < old.size <= new.size:
        raise Wrong(f"a log of {new.size} events cannot have grown out of one of {old.size}")
    if roots(old.size, new.size, True) != (old.root, new.root) or left:
        raise Wrong("the log did not grow out of it: what was recorded before has been changed or removed")


# ---- Canonical JSON (RFC 8785) -------------------------------------------------------------------


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    return number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def number(value: float) -> str:
    """As ECMAScript writes it: the fewest digits that are read back as the same number."""
    if not isfinite(value):
        raise Wrong(f"{value} cannot be written as JSON")
    if value == 0:
        return "0"
    shortest, sign = Decimal(repr(abs(value))), "-" if value < 0 else ""
    if Decimal("1e-6") <= shortest < Decimal("1e21"):
        text = format(shortest, "f")
        return sign + (text.rstrip("0").rstrip(".") if "." in text else text)
    digits = "".join(map(str, shortest.as_tuple().digits)).rstrip("0")
    exponent = shortest.adjusted()
    return f"{sign}{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{'+' if exponent > 0 else ''}{exponent}"


# ---- Conversations, as far as prompts need them --------------------------------------------------


@dataclass
class Message:
    """made, said: the versions of its conversation from which on the message and its text are there."""

    parent: str | None
    role: str
    made: int
    text: str = ""
    said: int = 0
    continues: bool = False
    call: str | None = None


@dataclass
class Conversation:
    source: tuple[str, int] | None = None
    """For a fork: the conversation that it goes on from, and at which version."""
    messages: dict[str, Message] = field(default_factory=dict)
    system_prompts: list[tuple[int, str]] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    erased_until: int = 0
    """The version of the event that says who erased what was there before; 0 where there is none."""
    calls_erased: set[str] = field(default_factory=set)
    """The calls that went with it."""


Chain = list[tuple[Conversation, int]]
"""A conversation, then the one that it goes on from, and so on; each with the version up to which it counts."""


def take_conversation_event(found: Conversation, name: str, version: int, payload: dict[str, Any]) -> None:
    if name == "ConversationStarted" and payload["forked_from"] is not None:
        origin = payload["forked_from"]
        found.source = (origin["conversation_id"], origin["version"])
    elif name == "SystemPromptChanged":
        found.system_prompts.append((version, payload["text"]))
    elif name == "UserMessageSent":
        found.messages[payload["message_id"]] = Message(
            payload["parent_id"], "user", version, payload["content"], version
        )
    elif name == "MessageImported":
        role, text = imported(payload["role"], payload["content"])
        found.messages[payload["message_id"]] = Message(payload["parent_id"], role, version, text, version)
    elif name == "ReplyRequested":
        found.messages[payload["reply_id"]] = Message(
            payload["parent_id"], "assistant", version,
            continues=payload["continues"] is not None, call=payload["call_id"],
        )  # fmt: skip
    elif name == "ReplyRecorded":
        reply = found.messages[payload["reply_id"]]
        reply.text, reply.said = payload["content"], version
    elif name == "ConversationErased":
        found.erased_until = version
        found.calls_erased.update(call["call_id"] for call in payload["calls"])


def imported(role: str, content: Any) -> tuple[str, str]:
    """Role and text with which a message of another program is sent: only user and assistant are used."""
    text = content if isinstance(content, str) else "\n\n".join(filter(None, map(words_of_part, content)))
    introduction = {"system": "Instruction: ", "tool": "Result of a tool: "}.get(role, "")
    return ("assistant" if role == "assistant" else "user"), introduction + text


def words_of_part(part: Any) -> str:
    if not isinstance(part, dict):
        return ""
    kind = str(part.get("type") or "part")
    if kind in ("text", "refusal", "input_text", "output_text"):
        text = part.get("text") or part.get("refusal")
        return text if isinstance(text, str) else ""
    return "" if kind in ("tool_calls", "name", "tool_call_id") else f"[{kind}]"


def find_message(chain: Chain, message_id: str) -> Message:
    """The message as it was then: a reply that had not ended yet has no text."""
    for conversation, version in chain:
        message = conversation.messages.get(message_id)
        if message is not None and message.made <= version:
            if message.said > version:
                return Message(message.parent, message.role, message.made, continues=message.continues)
            return message
    raise Wrong(f"message {message_id} is not in the conversation at the recorded version")


def branch(chain: Chain, leaf: str | None) -> list[tuple[str, Message]]:
    found: list[tuple[str, Message]] = []
    seen = set()
    while leaf is not None:
        if leaf in seen:
            raise Wrong(f"the messages above {leaf} hang below each other in a circle")
        seen.add(leaf)
        found.append((leaf, find_message(chain, leaf)))
        leaf = found[-1][1].parent
    return found[::-1]


def system_prompt(chain: Chain) -> str:
    for conversation, version in chain:
        in_force = [text for since, text in conversation.system_prompts if since <= version]
        if in_force:
            return in_force[-1]
    return ""


# ---- Prompts -------------------------------------------------------------------------------------

TITLE_INSTRUCTION = "You write titles. Answer with a title of two to six words in the language of the conversation, and nothing else."
WHOLE_NUMBERS = ("max_tokens", "top_k", "seed")


def prompt_bytes(request: dict[str, Any], chain: Chain) -> bytes:
    """The exact body that was sent for a recorded request. Raises Wrong where the events do not give it back."""
    if request["raw_body"] is not None:
        raw: str = request["raw_body"]
        return (with_model(raw, request["model"]) if request["builder"] == "client/1" else raw).encode()
    builder = (request["builder"], request["serializer"])
    if builder == ("chat/1", "jcs-rfc8785/1"):
        messages = chat_messages(request, chain)
    elif builder == ("title/1", "jcs-rfc8785/1"):
        messages = title_messages(request, chain)
    else:
        raise Wrong(f"this verifier does not know the prompt builder {builder[0]} with {builder[1]}")
    body: dict[str, Any] = {name: parameter(name, value) for name, value in request["params"].items()}
    if request.get("progress"):
        body["return_progress"] = True
    body.update(
        messages=messages, model=request["model"], stream=True, stream_options={"include_usage": True}
    )
    return canonical(body).encode()


def parameter(name: str, value: Any) -> Any:
    """Recorded as decimal text, sent as a number; a list of texts stays one."""
    if isinstance(value, list):
        return value
    return int(value) if name in WHOLE_NUMBERS else float(value)


def chat_messages(request: dict[str, Any], chain: Chain) -> list[dict[str, str]]:
    """Builder chat/1: a system message, then the branch; neighbours of one role become one message."""
    system = request["system_prompt"]
    sent = [{"role": "system", "content": system_prompt(chain) if system is None else system}]
    said = branch(chain, request["leaf_id"])
    if request["trimming"] is not None:
        first_kept = request["trimming"]["first_kept_message_id"]
        places = [place for place, (message_id, _) in enumerate(said) if message_id == first_kept]
        if not places:
            raise Wrong(f"message {first_kept}, the first one kept, is not on the branch that was sent")
        said = said[places[0] :]
    for _, message in said:
        if message.role == "assistant" and not message.text:
            continue
        if message.role != sent[-1]["role"]:
            sent.append({"role": message.role, "content": message.text})
        else:
            sent[-1]["content"] += ("" if message.continues else "\n\n") + message.text
    return sent


def title_messages(request: dict[str, Any], chain: Chain) -> list[dict[str, str]]:
    """Builder title/1: the first 1,000 characters of the branch's first message and of its last."""
    said = branch(chain, request["leaf_id"])
    if not said:
        raise Wrong("the request for a title names no message")
    first, last = said[0][1].text[:1000], said[-1][1].text[:1000]
    wish = f"Write a title for this conversation.\n\nUser: {first}\n\nAssistant: {last}"
    return [{"role": "system", "content": TITLE_INSTRUCTION}, {"role": "user", "content": wish}]


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]')


def with_model(raw: str, model: str) -> str:
    """Builder client/1: the program's own bytes, with the value of their outermost `model` replaced."""
    depth, is_name = 0, False
    for token in TOKEN.finditer(raw):
        mark = token.group()
        if mark in "{[":
            depth += 1
        elif mark in "}]":
            depth -= 1
        elif depth == 1 and is_name and mark[0] == '"' and json.loads(mark, strict=False) == "model":
            start = re.compile(r"\s*:\s*").match(raw, token.end())
            if start is None:
                break
            value, end = json.JSONDecoder().raw_decode(raw, start.end())
            replaced = raw[: start.end()] + json.dumps(model, ensure_ascii=False) + raw[end:]
            return raw if value == model else replaced
        is_name = mark in "{,"
    raise Wrong("the stored copy of the program's request has no field `model`")


# ---- The bundle ----------------------------------------------------------------------------------

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOPIC = re.compile(r"[A-Za-z0-9_.]{1,100}")
ERASED = re.compile(rb'\{"erased":\{"sha256":"([0-9a-f]{64})"\}\}')
ENDS = ("ModelCallCompleted", "ModelCallFailed", "ModelCallCancelled", "ModelCallInterrupted")


@dataclass(frozen=True)
class Event:
    """One line of events.jsonl. payload: the stored bytes."""

    position: int
    index: int
    stream: str
    version: int
    topic: str
    payload: bytes

    def __str__(self) -> str:
        return f"position {self.position}, stream {self.stream}, version {self.version} ({self.topic})"

    @property
    def name(self) -> str:
        """The topic without the number of its shape."""
        return self.topic.partition(".")[0]

    @property
    def is_erased(self) -> bool:
        return ERASED.fullmatch(self.payload) is not None

    def leaf(self) -> bytes:
        """Its hash in the log. An erased payload counts by the digest of what it was."""
        erased = ERASED.fullmatch(self.payload)
        digest = erased.group(1).decode() if erased else hashlib.sha256(self.payload).hexdigest()
        place = {"sha256": digest, "stream": self.stream, "topic": self.topic, "version": self.version}
        return sha256(b"\x00" + canonical(place).encode())


@dataclass
class Call:
    """A model call. where: of its request, for people. started, ended: its attempts' numbers.

    finals: for each end, whether no further attempt follows. None, in all of them, for what is erased.
    """

    where: str
    request: dict[str, Any] | None
    started: list[int | None] = field(default_factory=list)
    ended: list[int | None] = field(default_factory=list)
    finals: list[bool | None] = field(default_factory=list)
    is_erased: bool = False
    verdict: str = ""


class Bundle:
    """The files of an open archive. Each is read once, from beginning to end, and digested while it is read."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.digests: dict[str, str] = {}

    def names(self) -> list[str]:
        return self.archive.namelist()

    def raw_lines(self, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self.archive.open(name) as file:
            while line := file.readline(LONGEST_LINE):
                if len(line) >= LONGEST_LINE:  # it may be given a little more than it was asked for
                    raise Unreadable(f"a line of {name} is longer than {LONGEST_LINE:,} bytes")
                digest.update(line)
                yield line
        self.digests[name] = digest.hexdigest()

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """The lines of a file with their numbers, without the line breaks."""
        for line_number, line in enumerate(self.raw_lines(name), start=1):
            yield line_number, line.rstrip(b"\n")

    def text(self, name: str) -> str:
        """All of a file that is only a few lines."""
        lines, length = [], 0
        try:
            for line in self.raw_lines(name):
                length += len(line)
                if length > LONGEST_TEXT:
                    raise Unreadable(f"{name} is longer than {LONGEST_TEXT:,} bytes")
                lines.append(line)
            return b"".join(lines).decode()
        except UnicodeDecodeError:
            raise Unreadable(f"{name} is not UTF-8") from None
        except KeyError:
            raise Unreadable(f"{name} is missing") from None


def field_of(line: dict[str, Any], name: str, kind: type) -> Any:
    value = line.get(name)
    if type(value) is not kind:
        raise Wrong(f"its field `{name}` is {repr(value)[:60]}, expected {kind.__name__}")
    return value


def read_object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Wrong("it is not a JSON object")
    return found


def read_event(line: bytes) -> Event:
    found = read_object(line)
    if "payload_base64" in found:  # only for bytes that are no UTF-8, which Verbatim never writes
        payload = base64.b64decode(field_of(found, "payload_base64", str))
    else:
        payload = field_of(found, "payload", str).encode("utf-8", "surrogatepass")
    stream = field_of(found, "stream", str)
    if not UUID.fullmatch(stream):
        raise Wrong(f"its stream {stream[:60]!r} is not a UUID")
    topic = field_of(found, "topic", str)
    if not TOPIC.fullmatch(topic):
        raise Wrong(f"its topic {topic[:60]!r} is not the name of an event")
    numbers = [field_of(found, name, int) for name in ("position", "index", "version")]
    return Event(numbers[0], numbers[1], stream, numbers[2], topic, payload)


class Verification:
    """Everything that is checked about one bundle; `problems` counts what does not hold."""

    def __init__(self, bundle: Bundle, keys: list[Key], kept: list[tuple[str, str]]) -> None:
        """kept: name and note of each checkpoint that was kept earlier."""
        self.bundle = bundle
        self.keys = keys
        self.kept = kept
        self.problems = 0
        self.events = 0
        self.erased = 0
        self.missing_proofs: dict[int, Event] = {}
        self.spare_proofs: dict[int, list[bytes]] = {}
        self.versions: dict[str, int] = {}
        self.conversations: dict[str, Conversation] = {}
        self.calls: dict[str, Call] = {}
        self.verdicts: Counter[str] = Counter()

    def problem(self, where: str, what: object) -> None:
        self.problems += 1
        if self.problems <= MOST_PROBLEMS:
            say(f"{where}: {what}.")
        if self.problems == MOST_PROBLEMS:
            say("Further problems are counted, not shown.")

    def run(self) -> bool:
        manifest_text = self.bundle.text("manifest.json")
        try:
            self.manifest = read_object(manifest_text.encode())
        except Wrong as error:
            raise Unreadable(f"manifest.json: {error}") from None
        if self.manifest.get("format") != FORMAT:
            raise Unreadable(
                f"its format is {str(self.manifest.get('format'))[:40]!r}, this verifier reads {FORMAT}"
            )
        self.check_names()
        self.check_manifest_signature(manifest_text)
        self.checkpoint = self.read_own_checkpoint()
        self.check_earlier_checkpoints()
        self.check_events()
        self.check_streams()
        self.check_calls()
        self.check_digests()
        self.summary()
        return self.problems == 0

    # ---- manifest and checkpoints ----

    def check_names(self) -> None:
        expected = sorted([*FILES, "manifest.json", "manifest.sig"])
        names = sorted(self.bundle.names())
        for name in sorted(set(names) | set(expected)):
            if names.count(name) != expected.count(name):
                count = names.count(name)
                self.problem(
                    f"file {name}", f"it is in the bundle {count} times, expected {expected.count(name)}"
                )
        if missing := [name for name in FILES if name not in names]:
            raise Unreadable(f"{missing[0]} is missing")

    def check_manifest_signature(self, manifest_text: str) -> None:
        try:
            text, key = signed_text(self.bundle.text("manifest.sig"), self.keys)
            expected = (
                f"{FORMAT} of {key.name}\nsha256 {hashlib.sha256(manifest_text.encode()).hexdigest()}\n"
            )
            if text != expected:
                raise Wrong("it was signed for another manifest")
        except Wrong as error:
            self.problem("manifest.sig", error)

    def read_own_checkpoint(self) -> Checkpoint | None:
        try:
            return read_checkpoint(self.bundle.text("checkpoint"), self.keys)
        except Wrong as error:
            self.problem("checkpoint", error)
            return None

    def check_earlier_checkpoints(self) -> None:
        """That the log has only grown since each of them."""
        proofs: dict[int, list[bytes]] = {}
        wanted = {}
        for name, note in self.kept:
            try:
                wanted[name] = read_checkpoint(note, self.keys)
            except Wrong as error:
                self.problem(f"kept checkpoint {name}", error)
        sizes = {each.size for each in wanted.values()}
        for line_number, line in self.bundle.lines("consistency.jsonl"):
            where = f"consistency.jsonl, line {line_number}"
            try:
                found = read_object(line)
                size = field_of(found, "size", int)
                hashes = [as_hash(each) for each in field_of(found, "hashes", list)]
                if size in sizes:
                    proofs[size] = hashes
                if found.get("note") is not None and self.checkpoint is not None:
                    self.check_grown(field_of(found, "note", str), hashes, size)
            except Wrong as error:
                self.problem(where, error)
        for name, old in wanted.items():
            try:
                self.check_kept(old, proofs)
            except Wrong as error:
                self.problem(f"kept checkpoint {name}", error)

    def check_grown(self, note: str, hashes: list[bytes], size: int) -> None:
        try:
            old = read_checkpoint(note, self.keys)
        except UnknownSigner:
            self.verdicts["earlier checkpoints not checked (by keys that were not given)"] += 1
            return
        if old.size != size:
            raise Wrong(f"its checkpoint is of {old.size} events, not of {size}")
        assert self.checkpoint is not None
        check_consistency(old, self.checkpoint, hashes)
        self.verdicts["earlier checkpoints hold"] += 1

    def check_kept(self, old: Checkpoint, proofs: dict[int, list[bytes]]) -> None:
        if self.checkpoint is None:
            raise Wrong("it cannot be compared, since the bundle's own checkpoint does not hold")
        if old.origin != self.checkpoint.origin:
            raise Wrong(f"it is of another log, {old.origin}, not of {self.checkpoint.origin}")
        if old.size > self.checkpoint.size:
            raise Wrong(
                f"it is of {old.size} events, the bundle's of {self.checkpoint.size}: "
                "the log was cut, or the bundle is older than it. Ask for a new bundle"
            )
        if old.size not in proofs and old.size != self.checkpoint.size:
            raise Wrong(
                f"the bundle has no consistency proof for {old.size} events. Ask for one with kept={old.size}"
            )
        check_consistency(old, self.checkpoint, proofs.get(old.size, []))
        self.verdicts["kept checkpoints hold"] += 1

    # ---- events ----

    def check_events(self) -> None:
        proofs = self.bundle.lines("proofs.jsonl")
        last: Event | None = None
        for line_number, line in self.bundle.lines("events.jsonl"):
            try:
                event = read_event(line)
            except (Wrong, *NONSENSE) as error:
                self.problem(f"events.jsonl, line {line_number}", error)
                self.take_proof(next(proofs, None))
                continue
            if last is not None and (event.index <= last.index or event.position <= last.position):
                self.problem(str(event), f"it stands behind position {last.position}, index {last.index}")
            last = event
            self.events += 1
            self.missing_proofs.setdefault(event.index, event)
            if self.missing_proofs[event.index] is not event:
                self.problem(str(event), f"index {event.index} is given twice")
            self.take_proof(next(proofs, None))
            self.settle(event.index)
            self.take_event(event)
            self.check_step(f"events.jsonl, line {line_number}")
        for rest in proofs:
            self.take_proof(rest)
            self.check_step(f"proofs.jsonl, line {rest[0]}")
        for event in self.missing_proofs.values():
            self.problem(str(event), "there is no proof that it is in the log")
        for index in self.spare_proofs:
            self.problem(f"index {index}", "its event was left out: there is a proof for it, but no event")

    def check_step(self, where: str) -> None:
        """Events and proofs stand in the same order: where they do not, what waits for its partner takes memory."""
        if max(len(self.missing_proofs), len(self.spare_proofs)) > MOST_OUT_OF_STEP:
            self.problem(where, "events and proofs do not belong together, so the rest was not read")
            raise NotToTheEnd

    def take_proof(self, line: tuple[int, bytes] | None) -> None:
        if line is None:
            return
        try:
            found = read_object(line[1])
            index = field_of(found, "index", int)
            hashes = [as_hash(each) for each in field_of(found, "hashes", list)]
        except Wrong as error:
            self.problem(f"proofs.jsonl, line {line[0]}", error)
            return
        if index in self.spare_proofs:
            self.problem(f"proofs.jsonl, line {line[0]}", f"there is a second proof for index {index}")
        self.spare_proofs[index] = hashes
        self.settle(index)

    def settle(self, index: int) -> None:
        """Check an event whose proof has come, too."""
        if index not in self.missing_proofs or index not in self.spare_proofs:
            return
        event, hashes = self.missing_proofs.pop(index), self.spare_proofs.pop(index)
        if self.checkpoint is None:
            return
        try:
            if root_of_inclusion(event.leaf(), index, self.checkpoint.size, hashes) != self.checkpoint.root:
                raise Wrong("it is not what the log has there: the event, or its proof, was changed")
        except Wrong as error:
            self.problem(str(event), error)

    def take_event(self, event: Event) -> None:
        expected = self.versions.get(event.stream, 0) + 1
        if event.version > expected:
            missing = f"version {expected}" + (
                f" to {event.version - 1}" if event.version > expected + 1 else ""
            )
            self.problem(str(event), f"{missing} of its stream is missing before it")
        elif event.version < expected:
            self.problem(str(event), f"version {expected} of its stream is expected")
        self.versions[event.stream] = max(event.version, expected - 1)
        self.erased += event.is_erased
        try:
            payload = None if event.is_erased else read_object(event.payload)
            if event.name.startswith("ModelCall"):
                self.take_call_event(event, payload)
            else:
                self.take_event_of_conversation(event, payload)
        except Wrong as error:
            self.problem(str(event), error)
        except NONSENSE as error:
            self.problem(
                str(event), f"its payload is not that of a {event.topic} ({type(error).__name__}: {error})"
            )

    def take_event_of_conversation(self, event: Event, payload: dict[str, Any] | None) -> None:
        conversation = self.conversations.setdefault(event.stream, Conversation())
        if payload is None:
            conversation.erased.append(event.version)
        else:
            take_conversation_event(conversation, event.name, event.version, payload)

    def take_call_event(self, event: Event, payload: dict[str, Any] | None) -> None:
        if event.name == "ModelCallRequested":
            call = self.calls[event.stream] = Call(f"call at {event}", payload, is_erased=payload is None)
            if payload is not None and payload["prompt_request"]["raw_body"] is not None:
                # Explained by itself, and possibly large: checked now, so that it need not be kept.
                call.verdict = self.compare_prompt(call, [])
                payload["prompt_request"]["raw_body"] = ""
            return
        if event.stream not in self.calls:
            raise Wrong("the request of its call is missing")
        call = self.calls[event.stream]
        call.is_erased = call.is_erased or payload is None
        if event.name == "ModelCallStarted":
            call.started.append(None if payload is None else payload["attempt"])
        elif event.name in ENDS:
            call.ended.append(None if payload is None else payload["attempt"])
            call.finals.append(None if payload is None else payload["final"])

    # ---- streams and calls ----

    def check_streams(self) -> None:
        """That each stream is as long as streams.jsonl says."""
        self.running = set()
        listed = set()
        for line_number, line in self.bundle.lines("streams.jsonl"):
            try:
                found = read_object(line)
                stream, versions = field_of(found, "stream", str), field_of(found, "versions", int)
                listed.add(stream)
                if "running" in found:
                    if found["running"] is not True:
                        raise Wrong(
                            f"its field `running` is {repr(found['running'])[:60]}, expected true or none"
                        )
                    self.running.add(stream)
                if self.versions.get(stream, 0) != versions:
                    raise Wrong(
                        f"stream {stream} has {versions} versions, the bundle's last one is {self.versions.get(stream, 0)}"
                    )
            except Wrong as error:
                self.problem(f"streams.jsonl, line {line_number}", error)
        for stream in self.versions:
            if stream not in listed:
                self.problem(f"stream {stream}", "it is not listed in streams.jsonl: it was put in later")

    def check_calls(self) -> None:
        for stream, call in self.calls.items():
            try:
                self.check_attempts(stream, call)
                self.check_reply(stream, call)
                call.verdict = call.verdict or self.verdict_of(call)
            except Wrong as error:
                self.problem(call.where, f"its prompt cannot be rebuilt: {error}")
                call.verdict = "different"
            except NONSENSE as error:
                self.problem(
                    call.where, f"its events do not fit each other ({type(error).__name__}: {error})"
                )
                call.verdict = "different"
            self.verdicts[f"prompts {call.verdict}"] += 1
        self.check_erasures()

    def check_erasures(self) -> None:
        """That an event says who erased what is gone, for conversations and for their calls."""
        named: set[str] = set()
        for stream, conversation in self.conversations.items():
            named |= conversation.calls_erased
            unexplained = [version for version in conversation.erased if version > conversation.erased_until]
            if unexplained:
                self.problem(
                    f"stream {stream}, version {unexplained[0]}",
                    "it is erased, and no ConversationErased event says who did it",
                )
        for stream, call in self.calls.items():
            if call.is_erased and stream not in named:
                self.problem(call.where, "it is erased, and no ConversationErased event names it")

    def verdict_of(self, call: Call) -> str:
        if call.request is None:
            return "erased"
        if call.request["conversation_id"] is None:
            return "opaque (the record does not hold what was sent)"
        return self.compare_prompt(call, self.chain_of(call.request))

    def check_attempts(self, stream: str, call: Call) -> None:
        """One end for each start, or a single end before any; the last one for good, and no other. None: erased."""
        never_started = not call.started and len(call.ended) == 1 and call.ended[0] in (0, None)
        paired = len(call.started) == len(call.ended) and all(
            None in (start, end) or start == end for start, end in zip(call.started, call.ended)
        )
        *earlier, last = call.finals or [False]
        if (never_started or paired) and last is not False and True not in earlier:
            return
        running = True not in call.finals and 0 <= len(call.started) - len(call.ended) <= 1
        if running and stream in self.running:
            self.verdicts["calls still running at the export"] += 1
            return
        self.problem(
            call.where,
            f"attempts started {call.started}, ended {call.ended}, for good {call.finals}; "
            "expected one end for each, the last one for good",
        )

    def check_reply(self, stream: str, call: Call) -> None:
        """A call's last end and its reply are written together: neither is there without the other."""
        request = call.request
        if request is None or request["reply_id"] is None:
            return
        conversation = self.conversations.get(request["conversation_id"])
        if conversation is None or conversation.erased:
            return
        reply = conversation.messages.get(request["reply_id"])
        if reply is None or reply.call != stream:
            self.problem(
                call.where,
                f"its reply {request['reply_id']} is not in conversation {request['conversation_id']}",
            )
        elif bool(reply.said) != (True in call.finals) and stream not in self.running:
            there, missing = ("reply", "end") if reply.said else ("end", "reply")
            self.problem(call.where, f"its {there} is there, its {missing} is missing")

    def chain_of(self, request: dict[str, Any]) -> Chain:
        """The call's conversation, and those that it goes on from."""
        chain: Chain = []
        conversation_id, version = request["conversation_id"], request["prompt_request"]["version"]
        while True:
            conversation = self.conversations.get(conversation_id)
            if conversation is None:
                raise Wrong(f"conversation {conversation_id} is not in the bundle")
            if any(conversation is each for each, _ in chain):
                raise Wrong(f"conversation {conversation_id} goes on from itself")
            chain.append((conversation, version))
            if conversation.source is None:
                return chain
            conversation_id, version = conversation.source

    def compare_prompt(self, call: Call, chain: Chain) -> str:
        """identical, different (and a problem), erased where a text that was sent is gone, opaque where none is kept."""
        assert call.request is not None
        recorded = (call.request["body_sha256"], call.request["body_length"])
        try:
            body = prompt_bytes(call.request["prompt_request"], chain)
            if (hashlib.sha256(body).hexdigest(), len(body)) == recorded:
                return "identical"
            difference = (
                f"recorded {recorded[0]} of {recorded[1]} bytes, "
                f"rebuilt {hashlib.sha256(body).hexdigest()} of {len(body)} bytes"
            )
        except (Wrong, *NONSENSE) as error:
            difference = f"it cannot be rebuilt: {error}"
        if any(since <= version for conversation, version in chain for since in conversation.erased):
            return "erased"
        self.problem(
            call.where,
            f"its prompt is not what was sent; {difference}",
        )
        return "different"

    # ---- the end ----

    def check_digests(self) -> None:
        """Last, since by now most files have been read."""
        files = self.manifest.get("files")
        listed = files if isinstance(files, dict) else {}
        for name in FILES:
            if name not in self.bundle.digests:
                for _ in self.bundle.lines(name):
                    pass
            expected = listed.get(name)
            if not isinstance(expected, dict) or expected.get("sha256") != self.bundle.digests[name]:
                self.problem(f"file {name}", "its digest is not the one in manifest.json")
        counts = {"events": self.events, "streams": len(self.versions)}
        for name, count in counts.items():
            if self.manifest.get(name) != count:
                self.problem(
                    "manifest.json", f"it gives {self.manifest.get(name)} {name}, the bundle has {count}"
                )

    def summary(self) -> None:
        size = self.checkpoint.size if self.checkpoint is not None else 0
        origin = self.checkpoint.origin if self.checkpoint is not None else "an unknown log"
        say(
            f"{self.events:,} events of {len(self.versions):,} streams, {len(self.calls):,} model calls, "
            f"against the log of {origin} with {size:,} events."
        )
        if self.erased:
            say(f"{self.erased:,} events are erased: their digests are in the log, what they said is gone.")
        for name, count in sorted(self.verdicts.items()):
            say(f"{name}: {count:,}")
        if self.events == size:
            say("The bundle holds the whole log: nothing was left out.")
        else:
            say("The bundle holds a part of the log. It says nothing about the rest.")
        say("Everything holds." if not self.problems else f"{self.problems:,} problems.")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Checks an audit bundle exported by Verbatim.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE.zip")
    parser.add_argument(
        "--key", action="append", required=True, metavar="VERIFIER_KEY",
        help="name+hash+base64, from the operator; repeat it for keys used before a change of keys",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a checkpoint kept earlier",
    )
    options = parser.parse_args(arguments)
    try:
        keys = [parse_key(text) for text in options.key]
        kept = [(str(path), path.read_text(encoding="utf-8")) for path in options.checkpoint]
        with zipfile.ZipFile(options.bundle) as archive:
            return 0 if Verification(Bundle(archive), keys, kept).run() else 1
    except NotToTheEnd:
        return 1
    except Exception as error:
        # Archives are written by whoever wants to be believed. Whatever they make a library raise, from a broken
        # compression to an encryption flag, is one line and a status that says that nothing was shown to hold.
        why = str(error) if isinstance(error, (Unreadable, OSError)) else f"{error} ({type(error).__name__})"
        sys.stdout.flush()
        print(
            f"{options.bundle} cannot be read: {why}.".encode("ascii", "backslashreplace").decode(),
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
