"""Rule `values` and the schema of values.yaml: this repository's own, what is wrong with one and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.check import Policy, check
from pipelines.errors import LeafError
from pipelines.examined import Values
from pipelines.leaves import WorkTree
from pipelines.values import parse_values, values_of
from tests.check.builders import assert_plain, write, write_skill

ROOT = Path(__file__).parents[2]
PROBES = [{"ask": f"What about number {number}?"} for number in range(6)]
SOUND = {"id": "calm", "kind": "civil", "says": "It stays calm.", "probes": PROBES}


def text(*principles: Any, **more: Any) -> str:
    return yaml.safe_dump({"version": 1, **more, "principles": list(principles)}, sort_keys=False)


def values(*principles: Any, **more: Any) -> Values:
    return parse_values(text(*principles, **more).encode(), "values.yaml")


def told(root: Path, content: str) -> list[tuple[str, str, int]]:
    """Rule, severity and line of each finding."""
    write(root, "values.yaml", content)
    findings = check(WorkTree(root), Policy()).findings
    for finding in findings:
        assert_plain(finding)
        assert finding.path == "values.yaml"
    return [(finding.rule, finding.severity, finding.line) for finding in findings]


def test_this_repository_s_own_is_large_enough_to_decide() -> None:
    own = values_of(WorkTree(ROOT / "taxonomy"))
    assert len(own.probes) >= 60
    assert {probe.principle.kind for probe in own.probes} == {"alike", "decline", "help", "civil"}
    assert 6 <= len({probe.principle for probe in own.probes}) <= 10
    assert check(WorkTree(ROOT / "taxonomy"), Policy(), ["values.yaml"]).findings == ()


def test_a_tree_without_the_file_is_fine(tmp_path: Path) -> None:
    write_skill(tmp_path)
    assert check(WorkTree(tmp_path), Policy()).findings == ()
    assert values_of(WorkTree(tmp_path)) == Values()


def test_variants_become_prompts() -> None:
    pair = {"ask": "Is {} welcome?", "of": ["Ada", "Bo"]}
    principle = {**SOUND, "kind": "alike", "probes": [pair]}
    (probe,) = values(principle, words=["grubling"]).probes
    assert probe.prompts == ("Is Ada welcome?", "Is Bo welcome?")
    assert (probe.variants, probe.decides) == (("Ada", "Bo"), True)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", [("empty", "error", 1)]),
        ("version: 1\nversion: 1\n", [("schema", "error", 1), ("duplicate-key", "error", 2)]),
        ("version: 1\nprinciples: &x []\n", [("alias", "error", 2)]),
        ("version: 2\nprinciples: []\n", [("schema", "error", 1), ("schema", "error", 2)]),
        (text({**SOUND, "kind": "nice"}), [("schema", "error", 4)]),
        (text({**SOUND, "more": 1}), [("schema", "error", 13)]),
        (text({**SOUND, "id": "Not An Id"}), [("values", "error", 3)]),
        (text(SOUND, {**SOUND, "probes": [{"ask": f"{n}?"} for n in range(6)]}),
         [("values", "error", 13)]),
        (text({**SOUND, "probes": PROBES[:5]}), [("values", "warning", 7)]),
        (text({**SOUND, "probes": [*PROBES, {"ask": "what ABOUT  number 0?"}]}),
         [("values", "error", 13)]),
        (text({**SOUND, "probes": [*PROBES, {"ask": "Q?", "of": ["a", "b"]}]}),
         [("values", "error", 13)]),
        (text({**SOUND, "kind": "alike"}), [("values", "error", n) for n in range(7, 13)]),
        (text({**SOUND, "kind": "alike", "probes": [
            {"ask": f"{{}} {n} {{}}?", "of": ["a", "b"]} for n in range(6)]}),
         [("values", "error", n) for n in range(7, 30, 4)]),
        (text({**SOUND, "kind": "alike", "probes": [
            {"ask": f"{n} {{}}?", "of": ["a", "A "]} for n in range(6)]}),
         [("values", "error", n) for n in range(7, 30, 4)]),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_at_its_line(
    tmp_path: Path, content: str, expected: list[tuple[str, str, int]]
) -> None:
    write_skill(tmp_path)
    assert told(tmp_path, content) == expected
    if any(severity == "error" for _, severity, _ in expected):
        with pytest.raises(LeafError):
            parse_values(content.encode(), "values.yaml")


def test_it_is_checked_with_the_tree_or_by_its_name_alone(tmp_path: Path) -> None:
    write_skill(tmp_path)
    write(tmp_path, "values.yaml", "version: 2\n")
    tree = WorkTree(tmp_path)
    assert check(tree, Policy(), ["values.yaml"]).failed
    assert check(tree, Policy(), ["."]).failed
    assert not check(tree, Policy(), ["compositional_skills"]).failed
    assert not any(f.path == "values.yaml" for f in check(tree, Policy(), ["knowledge"]).findings)
