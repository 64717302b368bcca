"""Who asks, and whether by HTTPS: told by a proxy that was named, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.api_client import PASSWORD, ApiClient
from tests.support.stack import Stack, running_stack

LOGIN = "/_allauth/browser/v1/auth/login"
RUNNER = "http://127.0.0.1:9/v1"  # nothing is asked of a model here
RATES = {"LOGIN_RATE": "3/m", "SIGNUP_RATE": "3/m"}
BY_HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}


@pytest.fixture(scope="module")
def alone() -> Iterator[Stack]:
    with running_stack(MODEL_RUNNER_URL=RUNNER, **RATES) as stack:
        yield stack


@pytest.fixture(scope="module")
def behind_a_proxy() -> Iterator[Stack]:
    with running_stack(MODEL_RUNNER_URL=RUNNER, **RATES, TRUSTED_PROXIES="127.0.0.0/8") as stack:
        yield stack


def sign_up(stack: Stack, headers: dict[str, str]) -> httpx.Response:
    with ApiClient(stack.url) as client:
        client.http.headers.update(headers)
        answer = client.http.get("/_allauth/browser/v1/config")
        # A client leaves secure cookies out over plain HTTP, as between a proxy and us.
        csrf = answer.cookies["csrftoken"]
        host = client.http.base_url.host
        return client.http.post(
            "/_allauth/browser/v1/auth/signup",
            json={
                "email": f"{headers.get('X-Forwarded-For', 'plain').replace(', ', '-')}@example.org",
                "password": PASSWORD,
            },
            headers={
                "X-CSRFToken": csrf,
                "Cookie": f"csrftoken={csrf}",
                "Origin": f"{headers.get('X-Forwarded-Proto', 'http')}://{host}:{stack.port}",
            },
        )


def cookies_of(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


def wrong_password(stack: Stack, forwarded_for: str) -> int:
    """The answer's status to a log-in of somebody new each time."""
    with ApiClient(stack.url) as client:
        client.http.headers["X-Forwarded-For"] = forwarded_for
        client.http.get("/_allauth/browser/v1/config").raise_for_status()
        body = {"email": f"nobody-{forwarded_for}@example.org", "password": "wrong-password"}
        return client.http.post(LOGIN, json=body, headers=client.csrf()).status_code


def test_behind_https_cookies_are_secure_and_browsers_are_told_to_stay(behind_a_proxy: Stack) -> None:
    answer = sign_up(behind_a_proxy, BY_HTTPS)
    assert answer.status_code == 200, answer.text
    assert {cookie.partition("=")[0] for cookie in cookies_of(answer)} == {"csrftoken", "verbatim_session"}
    assert [cookie for cookie in cookies_of(answer) if "; Secure" not in cookie] == []
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    page = httpx.get(behind_a_proxy.url, headers=BY_HTTPS)
    assert page.headers["strict-transport-security"] == "max-age=31536000"


def test_without_https_they_work_all_the_same(behind_a_proxy: Stack) -> None:
    answer = sign_up(behind_a_proxy, {})
    assert answer.status_code == 200, answer.text
    assert [cookie for cookie in cookies_of(answer) if "Secure" in cookie] == []
    assert "strict-transport-security" not in answer.headers


def test_whoever_is_no_proxy_is_not_believed(alone: Stack) -> None:
    page = httpx.get(f"{alone.url}/_allauth/browser/v1/config", headers=BY_HTTPS)
    assert [cookie for cookie in cookies_of(page) if "Secure" in cookie] == []
    assert "strict-transport-security" not in page.headers


def test_attempts_to_log_in_are_counted_by_address_which_nobody_can_forge(
    alone: Stack, behind_a_proxy: Stack
) -> None:
    forged = [wrong_password(alone, f"198.51.100.{number}") for number in range(5)]
    assert forged == [400, 400, 400, 429, 429]

    # The proxy tells who it is: each has tries of their own, whatever they wrote before the proxy's own word.
    told = [wrong_password(behind_a_proxy, f"203.0.113.{number}") for number in range(5)]
    assert told == [400] * 5
    one = [wrong_password(behind_a_proxy, f"192.0.2.{number}, 203.0.113.99") for number in range(5)]
    assert one == [400, 400, 400, 429, 429]


def test_so_are_sign_ups(alone: Stack, behind_a_proxy: Stack) -> None:
    def status(stack: Stack, forwarded_for: str) -> int:
        return sign_up(stack, {"X-Forwarded-For": forwarded_for}).status_code

    assert [status(alone, f"198.51.100.{number}") for number in range(4)] == [200, 200, 200, 429]
    assert [status(behind_a_proxy, f"203.0.113.{number}") for number in range(4)] == [200] * 4
    one = [status(behind_a_proxy, f"192.0.2.{number}, 203.0.113.77") for number in range(4)]
    assert one == [200, 200, 200, 429]
