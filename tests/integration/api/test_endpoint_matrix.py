"""Who gets which answer from every address there is: made from the URL configuration, so that a new one needs a row here.

A cell is the answer's status: to somebody logged in with a browser, and after the stroke to their API token, where that
is another one. The nobody of the second has a token that is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.api.endpoint_table import ACCOUNTS, CHANGING, MARK, METHODS, endpoints
from tests.integration.api.endpoint_world import (
    ADMINISTRATOR,
    AUDITOR,
    IN_TURN,
    NOBODY,
    OTHER,
    OWNER,
    PEOPLE,
    SESSION,
    TOKEN,
    Answer,
    World,
    world,
)
from tests.support.description import operations

if TYPE_CHECKING:
    from tests.support.databases import TestServer

# allauth's own, which know sessions only: with a token one is nobody. `~` stands for /_allauth/browser/v1.
ACCOUNTS_TABLE = """
                                              nobody other owner auditor administrator
GET    ~/config                               200    200   200   200     200
GET    ~/auth/session                         401    200   200   200     200
DELETE ~/auth/session                         401    401   401   401     401
POST   ~/auth/signup                          400    400   400   400     400
POST   ~/auth/login                           400    400   400   400     400
POST   ~/auth/code/confirm                    409    409   409   409     409
POST   ~/auth/reauthenticate                  401    400   400   400     400
POST   ~/auth/2fa/authenticate                401    401   401   401     401
POST   ~/auth/2fa/reauthenticate              401    400   400   400     400
POST   ~/auth/password/request                200    200   200   200     200
GET    ~/auth/password/reset                  400    400   400   400     400
POST   ~/auth/password/reset                  400    400   400   400     400
GET    ~/auth/email/verify                    400    400   400   400     400
POST   ~/auth/email/verify                    400    400   400   400     400
POST   ~/auth/email/verify/resend             409    409   409   409     409
GET    ~/auth/provider/signup                 409    409   409   409     409
POST   ~/auth/provider/signup                 409    409   409   409     409
POST   ~/auth/provider/redirect               404    404   404   404     404
POST   ~/auth/provider/token                  404    404   404   404     404
POST   ~/auth/phone/verify                    404    404   404   404     404
POST   ~/auth/phone/verify/resend             404    404   404   404     404
GET    ~/account/phone                        404    404   404   404     404
POST   ~/account/phone                        404    404   404   404     404
POST   ~/account/password/change              401    400   400   400     400
GET    ~/account/email                        401    200   200   200     200
POST   ~/account/email                        409    400   400   400     400
PUT    ~/account/email                        401    400   400   400     400
PATCH  ~/account/email                        401    400   400   400     400
DELETE ~/account/email                        401    400   400   400     400
GET    ~/account/providers                    401    200   200   200     200
DELETE ~/account/providers                    401    400   400   400     400
GET    ~/account/authenticators               401    200   200   200     200
GET    ~/account/authenticators/totp          401    404   200   404     404
POST   ~/account/authenticators/totp          401    400   400   400     400
DELETE ~/account/authenticators/totp          401    200   401   200     200
GET    ~/account/authenticators/recovery-codes  401  404   401   404     404
POST   ~/account/authenticators/recovery-codes  401  400   401   400     400
"""

TABLE = """
                                                                              nobody   other    owner    auditor  administrator
GET    /healthz                                                               200      200      200      200      200
GET    /readyz                                                                200      200      200      200      200
GET    /metrics                                                               200      200      200      200      200
GET    /api/setup/                                                            200      200      200      200      200
GET    /api/schema/                                                           200/401  200      200      200      200
GET    /api/docs/                                                             200      200      200      200      200
GET    /accounts/oidc/login/callback/                                         404      404      404      404      404
POST   /api/sign-on/                                                          404/401  404/403  404/403  404/403  404/403

GET    /api/me/                                                               401      200      200      200      200
DELETE /api/me/                                                               401      204/403  204/403  204/403  409/403
GET    /api/me/audit-reads/                                                   401      200      200      200      200
GET    /api/me/second-factor/picture/                                         401      200/404  404      200/404  200/404
GET    /api/presets/                                                          401      200      200      200      200
POST   /api/presets/                                                          401      201      201      201      201
PATCH  /api/presets/{preset_id}/                                              401      404      200      404      404
DELETE /api/presets/{preset_id}/                                              401      404      204      404      404
GET    /api/tokens/                                                           401      200      200      200      200
POST   /api/tokens/                                                           401      201      201      201      201
DELETE /api/tokens/{token_id}/                                                401      404      204      404      404
GET    /api/models/                                                           401      200      200      200      200
GET    /api/search/                                                           401      200      200      200      200
GET    /api/live/                                                             401      404      200      404      404

GET    /api/conversations/                                                    401      200      200      200      200
POST   /api/conversations/                                                    401      201      201      201      201
GET    /api/conversations/{conversation_id}/                                  401      404      200      404      404
PATCH  /api/conversations/{conversation_id}/                                  401      404      200      404      404
DELETE /api/conversations/{conversation_id}/                                  401      404      202      404      404
POST   /api/conversations/{conversation_id}/restore/                          401      404      200      404      404
GET    /api/conversations/{conversation_id}/transcript/                       401      404      200      404      404
GET    /api/conversations/{conversation_id}/tree/                             401      404      200      404      404
GET    /api/conversations/{conversation_id}/at/{version}/                     401      404      200      404      404
GET    /api/conversations/{conversation_id}/events/                           401      404      200      404      404
GET    /api/conversations/{conversation_id}/replays/                          401      404      200      404      404
GET    /api/conversations/{conversation_id}/export/markdown/                  401      404      200      404      404
GET    /api/conversations/{conversation_id}/export/json/                      401      404      200      404      404
POST   /api/conversations/{conversation_id}/messages/                         401      404      202      404      404
POST   /api/conversations/{conversation_id}/messages/{message_id}/edit/       401      404      202      404      404
POST   /api/conversations/{conversation_id}/messages/{message_id}/regenerate/ 401      404      202      404      404
POST   /api/conversations/{conversation_id}/messages/{message_id}/continue/   401      404      202      404      404
POST   /api/conversations/{conversation_id}/select-branch/                    401      404      200      404      404
POST   /api/conversations/{conversation_id}/branches/{leaf_id}/hide/          401      404      200      404      404
POST   /api/conversations/{conversation_id}/branches/{leaf_id}/show/          401      404      200      404      404
POST   /api/conversations/{conversation_id}/fork/                             401      404      201      404      404
POST   /api/conversations/{conversation_id}/replay/                           401      404      202      404      404
GET    /api/replays/{replay_id}/                                              401      404      200      404      404
POST   /api/replays/{replay_id}/cancel/                                       401      404      202      404      404
POST   /api/replays/{replay_id}/resume/                                       401      404      202      404      404

GET    /api/model-calls/                                                      401      200      200      200      200
GET    /api/model-calls/{call_id}/                                            401      404      200      200      200
GET    /api/model-calls/{call_id}/prompt/                                     401      404      200      200      200
GET    /api/model-calls/{call_id}/reply/                                      401      404      200      200      200
GET    /api/model-calls/{call_id}/raw/                                        401      404      200      200      200
GET    /api/model-calls/{call_id}/proof/                                      401      404      200      200      200
POST   /api/model-calls/{call_id}/cancel/                                     401      404      202      404      404
GET    /api/audit/conversations/{conversation_id}/events/                     401      404      200      200      200
GET    /api/audit/export/                                                     401      200      200      200      200
GET    /api/audit/log/                                                        401      200      200      200      200
GET    /api/audit/checkpoint/                                                 401      200      200      200      200

GET    /api/users/                                                            401      403      403      403      200
PATCH  /api/users/{user_id}/                                                  401      403      403      403      200
POST   /api/users/{user_id}/reset-password/                                   401      403      403      403      200/403
POST   /api/users/{user_id}/remove-second-factor/                             401      403      403      403      200/403

GET    /v1/models                                                             401      401/200  401/200  401/200  401/200
POST   /v1/chat/completions                                                   401      401/200  401/200  401/200  401/200
"""

# Where an auditor or administrator may read what somebody else wrote; each such reading is on record.
CONTENT: Final = frozenset(
    {
        "GET /api/model-calls/{call_id}/prompt/",
        "GET /api/model-calls/{call_id}/reply/",
        "GET /api/model-calls/{call_id}/raw/",
        "GET /api/audit/conversations/{conversation_id}/events/",
    }
)
# Where they see how people call themselves.
NAMES: Final = frozenset(
    {
        "GET /api/users/",
        "PATCH /api/users/{user_id}/",
        "POST /api/users/{user_id}/remove-second-factor/",
        "GET /api/model-calls/",
        "GET /api/model-calls/{call_id}/",
        "GET /api/audit/export/",
    }
)

# What a person looks at, and where another service leads back to.
NOT_DESCRIBED: Final = frozenset({"GET /api/schema/", "GET /api/docs/", "GET /accounts/oidc/login/callback/"})


def expected(how: str) -> dict[tuple[str, str], int]:
    """By endpoint and person."""
    found: dict[tuple[str, str], int] = {}
    for text, ours in ((ACCOUNTS_TABLE, False), (TABLE, True)):
        heading, *rows = (line.split() for line in text.splitlines() if line.strip())
        assert tuple(heading) == PEOPLE
        for method, path, *cells in rows:
            for who, cell in zip(PEOPLE, cells, strict=True):
                by_session, _, by_token = cell.partition("/")
                status = by_session if how == SESSION else by_token or by_session
                if how == TOKEN and not ours:
                    status = "403" if method in CHANGING else cells[0]  # and brings no CSRF token
                found[f"{method} {path.replace('~', ACCOUNTS)}", who] = int(status)
    return found


def in_order() -> list[str]:
    """All endpoints, so that what is asked for is still there: first what only reads, last what ends things."""

    def order(endpoint: tuple[str, str]) -> int:
        method, path = endpoint
        if path in ("/api/me/", f"{ACCOUNTS}/auth/session"):
            return 3
        ends = method == "DELETE" or path.endswith(("/restore/", "/remove-second-factor/"))
        return 2 if ends else int(method in CHANGING)

    return [f"{method} {path}" for method, path in sorted(endpoints(), key=order)]


@pytest.fixture
def everybody(test_server: TestServer) -> Iterator[World]:
    with world(test_server) as made:
        yield made


@pytest.fixture(scope="module")
def refused(test_server: TestServer) -> Iterator[World]:
    """One world for the tests that are refused everything, and so change nothing in it."""
    with world(test_server) as made:
        yield made


def test_every_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    assert {endpoint for endpoint, _ in expected(SESSION)} == set(in_order())


def test_every_endpoint_of_ours_is_described_and_does_something_for_somebody() -> None:
    ours = {endpoint for endpoint in in_order() if ACCOUNTS not in endpoint}
    assert ours - NOT_DESCRIBED == set(operations())
    done = {
        endpoint
        for how in (SESSION, TOKEN)
        for (endpoint, _), status in expected(how).items()
        if status < 400
    }
    assert set(operations()) - done == {"POST /api/sign-on/"}, (
        "it needs another service; test_oidc.py has one"
    )


@pytest.mark.parametrize("how", [SESSION, TOKEN])
def test_everybody_gets_the_answer_that_the_table_says(everybody: World, how: str) -> None:
    found: dict[tuple[str, str], int] = {}
    told: list[str] = []
    changed: list[str] = []
    before = everybody.fingerprints()
    for endpoint in in_order():
        for who in IN_TURN:
            answer = everybody.ask(who, how, endpoint)
            found[endpoint, who] = answer.status
            told += [f"{endpoint} tells {who} of {word}" for word in _words_told(endpoint, who, answer)]
            after = everybody.fingerprints()
            if answer.status >= 400 and after != before:
                tables = [table for table in after if after[table] != before[table]]
                changed.append(f"{endpoint} refused {who} and changed {tables}")
            before = after
    wrong = {
        f"{endpoint} for {who}": f"expected {status}, found {found.get((endpoint, who))}"
        for (endpoint, who), status in expected(how).items()
        if found.get((endpoint, who)) != status
    }
    assert (wrong, told, changed) == ({}, [], [])


def _words_told(endpoint: str, who: str, answer: Answer) -> list[str]:
    """The owner's words in somebody else's answer, where they do not belong."""
    if who == OWNER or (who in (AUDITOR, ADMINISTRATOR) and endpoint in CONTENT):
        return []
    words = [MARK, "owner@example.org"]
    if who in (AUDITOR, ADMINISTRATOR) and endpoint in NAMES:
        words = [
            f"{MARK} ",
            f" {MARK}",
        ]  # the owner's name is this word alone; what was said has others around it
    return [word for word in words if word in answer.body]


def test_what_is_somebody_elses_answers_like_what_is_not_there(refused: World) -> None:
    foreign = [
        (endpoint, who)
        for (endpoint, who), status in expected(SESSION).items()
        if status == 404 and ("{" in endpoint or endpoint == "GET /api/live/")
    ]
    assert len(foreign) > 80
    for endpoint, who in foreign:
        for how in (SESSION, TOKEN):
            theirs, nobodys = refused.ask_for_nothing(who, how, endpoint)
            assert theirs == nobodys, (endpoint, who, how)


def test_a_deactivated_person_is_nobody(refused: World) -> None:
    let_in = "UPDATE accounts_user SET is_active = %s WHERE email = 'other@example.org'"
    refused.database.execute(let_in, [False])
    for how in (SESSION, TOKEN):
        answers = expected(how)
        found = {endpoint: refused.ask(OTHER, how, endpoint).status for endpoint in in_order()}
        assert found == {endpoint: answers[endpoint, NOBODY] for endpoint in found}
    refused.database.execute(let_in, [True])


def test_no_foreign_page_can_change_anything_in_ones_name(refused: World) -> None:
    """It can make a browser send the cookie, but knows no CSRF token."""
    before = refused.fingerprints()
    answers = {
        endpoint: refused.ask(ADMINISTRATOR, SESSION, endpoint, csrf=False)
        for endpoint in in_order()
        if endpoint.partition(" ")[0] in CHANGING and "/v1/chat/" not in endpoint
    }
    assert len(answers) > 50
    wrong = {
        endpoint: answer
        for endpoint, answer in answers.items()
        if answer.status != 403 or '"csrf_failed"' not in answer.body
    }
    assert (wrong, refused.fingerprints()) == ({}, before)


def test_no_address_has_a_method_that_the_table_does_not_know(refused: World) -> None:
    served = set(in_order())
    # allauth looks at a body before it looks at the method.
    paths = {endpoint.partition(" ")[2] for endpoint in served if ACCOUNTS not in endpoint}
    others = {f"{method} {path}" for path in paths for method in METHODS} - served
    found = {
        endpoint: refused.ask(ADMINISTRATOR, TOKEN if " /v1/" in endpoint else SESSION, endpoint).status
        for endpoint in sorted(others)
    }
    assert {endpoint: status for endpoint, status in found.items() if status not in (404, 405)} == {}
