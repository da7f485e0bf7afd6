"""What is to be trained, and by whom: in this process, or in those that the recipe's launcher starts.

In: an ``Order``, conversations by content hash, a recipe. Out: an adapter in the stage directory. For a
launcher the order is written to a folder, and ``python -m pipelines.train FOLDER`` carries it out on
every process; the first one writes ``result`` there.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from pipelines.artifacts import (
    OldRows,
    Rows,
    StoredRows,
    conversations,
    pretty_json,
    said,
    write_atomic,
)
from pipelines.errors import TrainError
from pipelines.recipe import Recipe, read_recipe
from pipelines.records import as_json

Say = Callable[[str], None]
_ORDER, _RECIPE, _RESULT = "order.json", "recipe.json", "result"


@dataclass(frozen=True, slots=True)
class Order:
    """What is continued: ``base``, and ``adapter`` on it or None for a new one.

    ``corrected`` are the content hashes whose rows weigh more, because the weights have seen another
    answer; ``names`` what to call a content hash before people. In the folder ``work`` checkpoints are
    kept, and taken up again for the same ``inputs`` (digests by name); None keeps none.
    """

    base: Path
    adapter: Path | None = None
    corrected: Collection[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    work: Path | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)


def carry_out(order: Order, new: Rows, old: OldRows, recipe: Recipe, out: Path, say: Say) -> None:
    """Train, here or by the recipe's launcher. ``KeyboardInterrupt`` where it was asked to stop."""
    if not recipe.hardware.launch:
        from pipelines.train.adapter import adapt

        adapt(order, new, old, recipe, out, say)
        return
    assert order.work is not None, "a launched training has a folder to work in"
    folder = order.work / "order"
    write_order(folder, order, new, old, recipe)
    command = [*shlex.split(recipe.hardware.launch), "-m", "pipelines.train", str(folder)]
    say(f"train: {shlex.join(command)}")
    _run(command)
    shutil.copytree(folder / _RESULT, out, dirs_exist_ok=True)
    shutil.rmtree(folder)


def _run(command: Sequence[str]) -> None:
    # torchrun lies beside the Python that runs this, whether or not its folder is in the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        child = subprocess.Popen(command, env={**os.environ, "PATH": path})
    except OSError as error:
        raise TrainError(
            f"hardware.launch cannot be started: {command[0]}: {error.strerror}."
        ) from error
    asked = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        child.send_signal(signal.SIGTERM)

    before = {n: signal.signal(n, pass_on) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt
    if code:
        raise TrainError(
            f"The training that hardware.launch started ended with {code}; its own words stand above."
        )


def write_order(folder: Path, order: Order, new: Rows, old: OldRows, recipe: Recipe) -> None:
    """Everything that a training reads but its base and adapter, as files."""
    shutil.rmtree(folder, ignore_errors=True)
    told = {
        "base": str(order.base.absolute()),
        "adapter": str(order.adapter.absolute()) if order.adapter else None,
        "corrected": sorted(order.corrected),
        "names": dict(order.names),
        "work": str(order.work.absolute()) if order.work else None,
        "inputs": dict(order.inputs),
    }
    try:
        for name, rows in (("new", new), ("old", old)):
            _write_rows(folder / name, rows)
        write_atomic(folder / _RECIPE, pretty_json(recipe))
        write_atomic(folder / _ORDER, pretty_json(told))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # a full disk has its room back
        raise


def _write_rows(folder: Path, rows: OldRows) -> None:
    """A file for each leaf, so that those of all leaves are never in memory together."""
    with said(folder):
        folder.mkdir(parents=True)
    for content_hash, found in rows.items():
        lines = (json.dumps({"messages": as_json(row)}, ensure_ascii=False) for row in found)
        path = folder / f"{content_hash}.jsonl"
        with said(path):
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_order(folder: Path) -> tuple[Order, Rows, OldRows, Recipe]:
    """What ``write_order`` wrote; old rows are read when they are drawn."""
    try:
        told, recipe = (json.loads((folder / name).read_bytes()) for name in (_ORDER, _RECIPE))
        new = {path.stem: conversations(path.read_bytes()) for path in _leaves(folder / "new")}
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder} holds no order for a training: {error}.") from error
    old = {path.stem: StoredRows(path.read_bytes) for path in _leaves(folder / "old")}
    order = Order(
        base=Path(told["base"]),
        adapter=Path(told["adapter"]) if told["adapter"] else None,
        corrected=told["corrected"],
        names=told["names"],
        work=Path(told["work"]) if told["work"] else None,
        inputs=told["inputs"],
    )
    return order, new, old, read_recipe(recipe, str(folder))


def _leaves(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def main(folder: Path) -> None:
    """Carry out the order in ``folder``, as one of the processes that a launcher started."""
    from pipelines.train.adapter import adapt

    order, new, old, recipe = read_order(folder)
    here = replace(recipe, hardware=replace(recipe.hardware, launch=""))
    out = folder / _RESULT
    out.mkdir(exist_ok=True)
    adapt(order, new, old, here, out, lambda line: print(line, file=sys.stderr, flush=True))
