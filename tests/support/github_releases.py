"""Releases and their files, as the stand-in of GitHub makes and shows them."""

from __future__ import annotations

from tests.support.github_state import Hub, Json, Missing, Unprocessable


def new_release(hub: Hub, body: Json) -> Json:
    """POST …/releases: one a tag."""
    tag = body["tag_name"]
    if len(body["body"]) > 125_000:
        raise Unprocessable("body is too long (maximum is 125000 characters)")
    if any(one["tag_name"] == tag for one in hub.releases.values()):
        raise Unprocessable("Validation Failed: tag_name already_exists")
    number = len(hub.releases) + 1
    where = f"{hub.url}/repos/{hub.repository}/releases/{number}/assets{{?name,label}}"
    hub.releases[number] = {
        "id": number,
        "draft": False,
        "assets": [],
        "upload_url": where,
        **body,
    }
    return hub.releases[number]


def release_of(hub: Hub, _: Json, tag: str) -> Json:
    """GET …/releases/tags/TAG."""
    for release in (one for one in hub.releases.values() if one["tag_name"] == tag):
        return release
    raise Missing


def new_asset(hub: Hub, body: Json, release: str) -> Json:
    """POST to a release's ``upload_url``: one file a name."""
    there = hub.releases[int(release)]["assets"]
    if any(one["name"] == body["name"] for one in there):
        raise Unprocessable("Validation Failed: name already_exists")
    hub.ids += 1
    hub.uploaded[body["name"]] = body["data"]
    there.append({"id": hub.ids, "name": body["name"], "state": "uploaded"})
    return dict(there[-1])


def remove_asset(hub: Hub, _: Json, asset: str) -> None:
    """DELETE …/releases/assets/ID."""
    for there in [one["assets"] for one in hub.releases.values()]:
        there[:] = [one for one in there if one["id"] != int(asset)]
