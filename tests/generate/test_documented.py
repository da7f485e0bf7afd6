"""docs/flows.md: its example is the file that it says, loads, and tells of every step and flow there is."""

from __future__ import annotations

from pathlib import Path

from pipelines.generate.columns import OWN
from pipelines.generate.filters import FILTERS
from pipelines.generate.flow import flow_names, read_flow
from pipelines.generate.instructlab import BLOCKS
from pipelines.generate.native import STEPS
from pipelines.generate.steps import Ask

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "flow"
PAGE = (DOCS / "flows.md").read_text(encoding="utf-8")


def test_the_example_is_shown_as_it_is_and_nothing_is_wrong_with_it() -> None:
    flow, findings = read_flow(EXAMPLE / "flow.yaml", "example")
    assert findings == []
    assert flow is not None
    assert flow.judged == {"defined"}
    terms = flow.steps[0]
    assert isinstance(terms, Ask)
    assert terms.parse("- neap tide\n- spring tide\n")[0] == [
        {"term": "neap tide"},
        {"term": "spring tide"},
    ]
    assert (EXAMPLE / "flow.yaml").read_text(encoding="utf-8") in PAGE


def test_the_mistake_that_is_shown_is_told_so(tmp_path: Path) -> None:
    for file in EXAMPLE.iterdir():
        text = file.read_text(encoding="utf-8").replace("{{ term }}", "{{ terms }}")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    flow, findings = read_flow(tmp_path / "flow.yaml", "example")
    assert flow is None
    (told,) = (line for line in PAGE.splitlines() if "There is no column `terms`" in line)
    assert f"flow.yaml:{findings[0].line}:{findings[0].column}: {findings[0].message}" in told


def test_every_step_filter_column_block_and_flow_is_told_of() -> None:
    columns = {name for kinds in OWN.values() for names in kinds.values() for name in names}
    plain = {name for name in columns if not name.startswith(("icl_query", "icl_response"))}
    wanted = [*STEPS, *FILTERS, *flow_names(), *sorted(plain)]
    assert [name for name in wanted if f"`{name}`" not in PAGE] == []
    assert [name for name in (*BLOCKS, "IterBlock") if name not in PAGE] == []
