"""graft.yaml: the default, a file of one's own, and one clear sentence for a bad one."""

from pathlib import Path

import pytest

from pipelines.check import Policy, load_policy
from pipelines.errors import GraftError

ROOT = Path(__file__).parents[2]


def test_no_file_means_the_default(tmp_path: Path) -> None:
    assert load_policy(None) == load_policy(tmp_path / "graft.yaml") == Policy()


def test_this_repository_says_what_the_default_says() -> None:
    assert load_policy(ROOT / "graft.yaml") == Policy()


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "graft.yaml"
    path.write_text("licences: [MIT]\n")
    assert load_policy(path) == Policy(licences=("MIT",))


@pytest.mark.parametrize(
    ("content", "place", "word"),
    [
        ("licenses: [MIT]\n", ":1:1:", "`licences`"),
        ("licences: MIT\n", ":1:11:", "a list"),
        ("licences: []\n", ":1:1:", "`licences`"),
        ("licences:\n  - 1\n", ":2:5:", "Licence 1"),
        ("- MIT\n", ":1:1:", "keys with values"),
        ("licences: [MIT\n", ":2:1:", "not closed"),
        ("", ":1:1:", "empty"),
    ],
)
def test_a_bad_one_is_one_sentence(tmp_path: Path, content: str, place: str, word: str) -> None:
    path = tmp_path / "graft.yaml"
    path.write_text(content)
    with pytest.raises(GraftError) as caught:
        load_policy(path)
    assert f"graft.yaml{place}" in str(caught.value)
    assert word in str(caught.value)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(GraftError, match="cannot be read"):
        load_policy(tmp_path)
