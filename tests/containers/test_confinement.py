"""What each container may do: as little as it needs."""

from __future__ import annotations

import pytest

from backend.config.security_headers import SECURITY_HEADERS
from tests.containers.compose import Compose
from tests.support.api_client import ApiClient

OVERLAYS = ["dmr", "ollama", "llama-cpp", "vllm"]


def test_only_the_front_end_is_reached_from_outside_and_on_this_machine_only(compose: Compose) -> None:
    published = {
        name: [
            binding for bindings in container["HostConfig"]["PortBindings"].values() for binding in bindings
        ]
        for name, containers in compose.services().items()
        for container in containers
        if container["HostConfig"]["PortBindings"]
    }
    assert published == {"frontend": [{"HostIp": "127.0.0.1", "HostPort": str(compose.port)}]}


def test_nothing_runs_as_root_or_can_write_beside_its_volumes(compose: Compose) -> None:
    for name, containers in compose.services().items():
        for container in containers:
            host = container["HostConfig"]
            assert host["ReadonlyRootfs"], name
            assert host["CapDrop"] == ["ALL"], name
            assert host["SecurityOpt"] == ["no-new-privileges:true"], name
            if container["State"]["Running"]:
                processes = compose.docker("top", container["Id"], "-eo", "pid,uid").splitlines()[1:]
                assert processes, name
                assert [line for line in processes if line.split()[1] in ("0", "root")] == [], name


def test_what_serves_people_knows_no_password_of_the_owner_and_changes_no_event(
    compose: Compose, person: ApiClient
) -> None:
    person.start_conversation(title="An event")
    looked = compose.run("exec", "--no-TTY", "web", "sh", "-c", "ls /owner; env; cat /data/database_url")
    assert "owner_password" not in looked
    assert "postgresql://verbatim:" in looked
    program = (
        "import psycopg, pathlib\n"
        "url = pathlib.Path('/data/database_url').read_text()\n"
        "with psycopg.connect(url, autocommit=True) as connection:\n"
        "    for sql in ('UPDATE events SET topic = topic', 'DELETE FROM events', 'TRUNCATE events', 'DROP TABLE events'):\n"
        "        try:\n"
        "            connection.execute(sql)\n"
        "            print('done:', sql)\n"
        "        except psycopg.errors.InsufficientPrivilege:\n"
        "            print('refused')\n"
    )
    tried = compose.run("exec", "--no-TTY", "web", "python", "-c", program)
    assert tried.split() == ["refused"] * 4


def test_every_answer_carries_the_security_headers(compose: Compose, person: ApiClient) -> None:
    page = person.http.get("/")
    script = page.text.partition('<script type="module" crossorigin src="')[2].partition('"')[0]
    assert script.startswith("/assets/")
    for path in ("/", script, "/assets/none.js", "/c/anything", "/api/me/", "/healthz"):
        answer = person.http.get(path)
        assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS), path
        assert "strict-transport-security" not in answer.headers, path
    assert person.http.get("/assets/none.js").status_code == 404
    assert "immutable" in person.http.get(script).headers["cache-control"]
    assert person.http.get(script, headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert person.http.get("/metrics").status_code == 404


def test_only_a_proxy_that_was_named_is_believed(compose: Compose, person: ApiClient) -> None:
    answer = person.http.get("/", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_overlay_fits(compose: Compose, overlay: str) -> None:
    files = ("--file", "docker-compose.yml", "--file", f"docker-compose.{overlay}.yml")
    services = compose.run(*files, "config", "--services").split()
    assert "model-runner" not in services
    assert {"postgres", "migrate", "web", "projections", "model-calls", "frontend"} <= {*services}
    assert "MODEL_RUNNER_KIND" in compose.run(*files, "config", "web")
