"""graft.yaml: the default, a file of one's own, and one clear sentence for a bad one."""

from pathlib import Path

import pytest

from pipelines.check import Policy, check, load_policy
from pipelines.errors import GraftError
from pipelines.leaves import WorkTree
from pipelines.policy import DocumentPolicy, Exemption, LimitPolicy
from tests.check.builders import ATTRIBUTION, SKILL, skill, write, write_skill

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


WHOLE = """\
licences: [MIT, LicenseRef-Acme-1.0]
documents:
  schemes: [https, ssh]
  hosts: [git.acme.example]
  allow_hosts: ["10.0.0.7:8443"]
  max_megabytes: 5
  max_pages: 20
  seconds: 9
limits:
  skill_file_words: 100
  context_words: 50
  question_words: 20
  answer_words: 10
  changed_leaves: 7
topics:
  elections: [ballot, "polling station"]
exceptions:
  - rule: length
    path: knowledge/old/**
    reason: Imported as it was.
"""


def test_every_key(tmp_path: Path) -> None:
    path = tmp_path / "graft.yaml"
    path.write_text(WHOLE)
    assert load_policy(path) == Policy(
        licences=("MIT", "LicenseRef-Acme-1.0"),
        documents=DocumentPolicy(
            ("https", "ssh"), ("git.acme.example",), ("10.0.0.7:8443",), 5, 20, 9
        ),
        limits=LimitPolicy(100, 50, 20, 10, 7),
        topics=(("elections", ("ballot", "polling station")),),
        exceptions=(Exemption("length", "knowledge/old/**", "Imported as it was."),),
    )


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("documents: {schemes: [file]}\n", ":1:23:"),
        ("documents: {seconds: 0}\n", ":1:"),
        ("limits: {words: 3}\n", ":1:10:"),
        ("topics: [death]\n", ":1:9:"),
        ("exceptions:\n  - rule: length\n    path: a\n", ":2:5:"),
    ],
)
def test_every_key_is_checked(tmp_path: Path, content: str, place: str) -> None:
    path = tmp_path / "graft.yaml"
    path.write_text(content)
    with pytest.raises(GraftError) as caught:
        load_policy(path)
    assert f"graft.yaml{place}" in str(caught.value)


# --- exceptions ------------------------------------------------------------------------------


def excepted(*entries: tuple[str, str]) -> Policy:
    return Policy(
        exceptions=tuple(Exemption(rule, path, "Because.", 7, 5) for rule, path in entries)
    )


@pytest.mark.parametrize(
    "path",
    [
        f"{SKILL}/qna.yaml",
        SKILL,
        f"{SKILL}/",
        "compositional_skills/**",
        "compositional_skills/*/rhymes",
        "**/qna.yaml",
        "**/rhyme?/qna.yaml",
    ],
)
def test_an_exception_covers_its_paths(tmp_path: Path, path: str) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", "suicide"))
    assert check(WorkTree(tmp_path), excepted(("topic", path))).findings == ()


@pytest.mark.parametrize("path", ["compositional_skills/*", "*/qna.yaml", f"{SKILL}/qna", "rhymes"])
def test_and_no_others(tmp_path: Path, path: str) -> None:
    content = skill().replace("Word 2.", "suicide")
    write_skill(tmp_path, content, f"{SKILL}s/deep")
    policy = excepted(("topic", path))
    covered = path == "compositional_skills/*"  # a folder means all below it
    rules = [f.rule for f in check(WorkTree(tmp_path), policy).findings]
    assert rules == ([] if covered else ["topic", "exception"])


def test_another_rule_is_not_covered(tmp_path: Path) -> None:
    write_skill(tmp_path, skill().replace("Word 2.", "C #1").replace("Word 1.", "suicide"))
    found = check(WorkTree(tmp_path), excepted(("topic", SKILL))).findings
    assert [f.rule for f in found] == ["cut-text"]


def test_an_exception_without_use_is_an_error_where_the_whole_tree_is_seen(tmp_path: Path) -> None:
    write_skill(tmp_path)
    policy = excepted(("topic", SKILL), ("tropic", SKILL))
    for paths in (None, ["."]):
        result = check(WorkTree(tmp_path), policy, paths, "my/tree")
        assert result.failed
        assert [(f.rule, f.path, f.line, f.column) for f in result.findings] == [
            ("exception", "graft.yaml", 7, 5),
            ("exception", "graft.yaml", 7, 5),
        ]
    messages = {f.message for f in result.findings}
    assert any("no longer needed" in message for message in messages)
    assert any("There is no rule `tropic`" in message for message in messages)
    assert check(WorkTree(tmp_path), policy, [f"{SKILL}/qna.yaml"]).findings == ()


def test_what_was_compared_with_nothing_may_need_its_exception(tmp_path: Path) -> None:
    write_skill(tmp_path)
    assert check(WorkTree(tmp_path), excepted(("near-duplicate", SKILL))).findings == ()


def test_an_exception_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "graft.yaml"
    path.write_text(WHOLE)
    (entry,) = load_policy(path).exceptions
    assert (entry.line, entry.column) == (18, 5)


def test_a_licence_of_ones_own(tmp_path: Path) -> None:
    write_skill(tmp_path)
    own = ATTRIBUTION.replace("CC0-1.0", "LicenseRef-Acme-1.0")
    write(tmp_path, f"{SKILL}/attribution.txt", own)
    assert [f.rule for f in check(WorkTree(tmp_path), Policy()).findings] == ["attribution"]
    policy = Policy(licences=("LicenseRef-Acme-1.0",))
    assert check(WorkTree(tmp_path), policy).findings == ()


def test_leaves_are_counted_by_their_folders() -> None:
    limits = LimitPolicy(changed_leaves=1)
    assert limits.exceeded(["knowledge/a/qna.yaml", "knowledge/a/attribution.txt"]) == ""
    assert limits.exceeded(["knowledge/a/qna.yaml", "knowledge/b/qna.yaml"]).startswith("2 leaves")
