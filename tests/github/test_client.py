"""The client of GitHub's REST API: pages, retries, limits of rate, and where the token goes."""

from __future__ import annotations

import time

import pytest

from pipelines.errors import GraftError
from pipelines.github.api import GitHub
from pipelines.github.client import Client, NotThere, Refused, open_client
from tests.support.github import BAD_GATEWAY, SECONDARY, TOKEN, Hub


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("pipelines.github.client.time.sleep", found.append)
    return found


def test_lists_are_read_page_by_page(hub: Hub) -> None:
    hub.issue(1, "x", "ada")
    for number in range(25):
        hub.add_comment(1, "ada", str(number))
    hub.page_size = 10
    assert [one.body for one in GitHub(open_client()).comments(1)] == [str(n) for n in range(25)]
    assert hub.counted("GET", "/comments") == 3


@pytest.mark.parametrize(
    ("failures", "waits"),
    [
        ([BAD_GATEWAY, BAD_GATEWAY], [1, 2]),
        ([(429, {"Retry-After": "7"}, {})], [7]),
        ([SECONDARY], [5]),
        ([(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, {})], [1]),
    ],
)
def test_what_may_pass_is_asked_again(
    hub: Hub,
    waited: list[float],
    failures: list[tuple[int, dict[str, str], dict[str, str]]],
    waits: list[int],
) -> None:
    hub.issue(1, "x", "ada")
    hub.fail += failures
    assert GitHub(open_client()).issue(1).body == "x"
    assert waited == waits


def test_a_limit_that_ends_much_later_stops_at_once(hub: Hub, waited: list[float]) -> None:
    reset = str(int(time.time()) + 1800)
    hub.fail += [(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, {})]
    with pytest.raises(GraftError, match="rate limit asks to wait"):
        GitHub(open_client()).issue(1)
    assert waited == []


def test_refusals_are_not_repeated_and_quote_nothing_that_a_log_obeys(
    hub: Hub, waited: list[float]
) -> None:
    hub.fail += [(403, {}, {"message": "no\n::set-output name=x::y"})]
    with pytest.raises(Refused) as refused:
        GitHub(open_client()).issue(1)
    assert "\n" not in str(refused.value)
    assert "::" not in str(refused.value)
    with pytest.raises(NotThere):
        GitHub(open_client()).issue(404)
    assert waited == []


def test_a_comment_that_may_have_been_made_is_not_made_again(hub: Hub, waited: list[float]) -> None:
    hub.issue(1, "x", "ada")
    hub.fail += [BAD_GATEWAY]
    with pytest.raises(GraftError, match="run this again"):
        GitHub(open_client()).comment(1, "hello")
    assert hub.counted("POST", "comments") == 1


def test_a_redirect_within_the_api_is_followed_and_none_elsewhere(hub: Hub) -> None:
    hub.issue(1, "x", "ada")
    client = open_client()
    hub.fail += [(301, {"Location": f"{hub.url}/repos/{hub.repository}/issues/1"}, {})]
    assert client.get("issues/9")["number"] == 1
    hub.fail += [(302, {"Location": "http://127.0.0.1:9/steal"}, {})]
    with pytest.raises(GraftError, match="another host"):
        client.get("issues/1")
    link = {"Link": '<http://127.0.0.1:9/steal>; rel="next"'}
    hub.fail += [(200, link, [])]  # type: ignore[list-item]
    with pytest.raises(GraftError, match="another host"):
        list(client.pages("issues"))


def test_the_token_is_shown_nowhere() -> None:
    client = Client("https://api.github.com", "a/b", TOKEN)
    assert TOKEN not in repr(client)


def test_a_job_without_a_token_is_told_what_to_set() -> None:
    with pytest.raises(GraftError, match="GITHUB_TOKEN must be set"):
        open_client({"GITHUB_REPOSITORY": "a/b"})
    with pytest.raises(GraftError, match="OWNER/NAME"):
        open_client({"GITHUB_REPOSITORY": "a/b/c", "GITHUB_TOKEN": "x"})


@pytest.mark.parametrize(
    ("api", "upload", "fine"),
    [
        ("https://api.github.com", "https://uploads.github.com/repos/a/b/releases/1/assets", True),
        ("https://api.it.ghe.com", "https://uploads.it.ghe.com/repos/a/b/releases/1/assets", True),
        ("https://ghe.org/api/v3", "https://ghe.org/api/uploads/repos/a/b/releases/1/assets", True),
        ("https://api.github.com", "http://uploads.github.com/repos/a/b/releases/1/assets", False),
        ("https://api.github.com", "https://uploads.github.com.example.org/assets", False),
        ("https://ghe.org/api/v3", "https://api.github.com/assets", False),
    ],
)
def test_where_files_of_a_release_may_go(api: str, upload: str, fine: bool) -> None:
    client = Client(api, "a/b", TOKEN)
    if fine:
        assert client._uploads(upload + "{?name,label}") == upload
    else:
        with pytest.raises(GraftError, match="another host"):
            client._uploads(upload)
