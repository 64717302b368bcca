"""Replays over HTTP: started, read, cancelled and resumed by their owner only."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from backend import bootstrap
from backend.application.runner_port import RunnerModel
from backend.domain import commands as c
from tests.integration.api.support import Person, StandInWorker, problem_of
from tests.integration.api.test_branches import after, talk


def advance(conversation_id: str, replay_id: str) -> None:
    """What a model-call worker does when a step is due."""
    bootstrap.run_command(c.AdvanceReplay(UUID(conversation_id), UUID(replay_id)), actor="replay:test")


def start(ann: Person, made: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return ann.command("POST", f"{made['path']}replay/", {"system_prompt": "Shout.", **fields}, status=202)


def test_a_replay_tells_how_far_it_has_come(ann: Person, worker: StandInWorker, projected: None) -> None:
    made = talk(ann, worker)
    started = start(ann, made, params={"seed": 7})
    assert started.keys() == {"replay_id", "turns_total", "version", "position"}
    assert started["turns_total"] == 2
    path = f"/api/replays/{started['replay_id']}/"
    told = ann.get(path, **after(started))
    assert (told["state"], told["turns_done"], told["leaf_id"], told["call_ids"]) == ("running", 0, None, [])
    assert (told["params"], told["system_prompt"]) == ({"seed": "7"}, "Shout.")
    for turn in (1, 2):
        advance(made["id"], started["replay_id"])
        call_id = ann.get(path, after=str(bootstrap.event_store().end()))["call_ids"][-1]
        worker.answer(call_id, f"Loud {turn}")
    advance(made["id"], started["replay_id"])
    told = ann.get(path, after=str(bootstrap.event_store().end()))
    assert (told["state"], told["turns_done"], len(told["call_ids"])) == ("finished", 2, 2)
    assert told["ended_at"] is not None
    branch = ann.get(f"{made['path']}transcript/", leaf=told["leaf_id"])["results"]
    assert [m["content"] for m in branch] == ["Question 0", "Loud 1", "Question 1", "Loud 2"]
    assert branch[1]["replay"] == {"replay_id": started["replay_id"], "turn": 1}
    listed = ann.get(f"{made['path']}replays/")
    assert [replay["id"] for replay in listed["results"]] == [started["replay_id"]]


def test_a_replay_that_stopped_is_resumed_and_one_that_runs_is_not(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker, 1)
    started = start(ann, made)
    path = f"/api/replays/{started['replay_id']}/"
    running = problem_of(ann.ask("POST", f"{path}resume/", {}), 409)
    assert running["code"] == "replay_not_stopped"
    advance(made["id"], started["replay_id"])
    call_id = ann.get(path, after=str(bootstrap.event_store().end()))["call_ids"][0]
    ann.command("POST", f"/api/model-calls/{call_id}/cancel/", {}, status=202)
    advance(made["id"], started["replay_id"])
    told = ann.get(path, after=str(bootstrap.event_store().end()))
    assert (told["state"], told["error"]["code"]) == ("failed", "reply_cancelled")
    resumed = ann.command("POST", f"{path}resume/", {}, status=202)
    assert resumed.keys() == {"reply_id", "call_id", "position"}
    told = ann.get(path, **after(resumed))
    assert (told["state"], told["error"], told["call_ids"]) == ("running", None, [resumed["call_id"]])


def test_cancelling_can_be_repeated_and_comes_too_late_without_harm(
    ann: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker, 1)
    started = start(ann, made)
    path = f"/api/replays/{started['replay_id']}/"
    first = ann.command("POST", f"{path}cancel/", {}, status=202)
    second = ann.command("POST", f"{path}cancel/", {}, status=202)
    assert second["position"] == first["position"]
    assert ann.get(path, **after(first))["state"] == "cancelled"


def test_somebody_elses_replay_is_as_unknown_as_one_that_never_was(
    ann: Person, bob: Person, worker: StandInWorker, projected: None
) -> None:
    made = talk(ann, worker, 1)
    started = start(ann, made)
    assert problem_of(bob.ask("GET", f"{made['path']}replays/"), 404)["code"] == "conversation_not_found"
    for replay_id in (started["replay_id"], str(uuid4())):
        path = f"/api/replays/{replay_id}/"
        for response in (
            bob.ask("GET", f"{path}?after={started['position']}"),
            bob.ask("POST", f"{path}cancel/", {}),
            bob.ask("POST", f"{path}resume/", {}),
        ):
            assert problem_of(response, 404)["code"] == "replay_not_found"


def test_a_model_that_no_runner_offers_is_refused_once_they_are_known(
    ann: Person, worker: StandInWorker
) -> None:
    made = talk(ann, worker, 1)
    bootstrap.models_seen().remember_listed("runner", [RunnerModel("known-model", 4096)])
    refused = problem_of(ann.ask("POST", f"{made['path']}replay/", {"model": "another"}), 400)
    assert (refused["code"], "known-model" in refused["detail"]) == ("model_unknown", True)
    assert "model" in refused["errors"]
    ann.command("POST", f"{made['path']}replay/", {"model": "known-model"}, status=202)


def test_a_branch_without_user_messages_cannot_be_run_again(ann: Person) -> None:
    conversation = ann.start()
    response = ann.ask("POST", f"/api/conversations/{conversation['id']}/replay/", {"model": "x"})
    assert problem_of(response, 400)["code"] == "nothing_to_replay"
