"""Run flow files by the real instructlab-sdg: a program for the environment that has it, not for ours.

    python theirs.py URL FLOW.yaml …

First rows as JSON on standard input, by flow; what came of them as JSON on standard output, likewise.

The package's own ``__init__`` imports what converts documents and trains; only its pipeline is wanted,
so it is given an empty one. Everything that runs is the package's, unchanged.
"""

# mypy: ignore-errors
import importlib
import json
import os
import sys
import types

import instructlab

package = types.ModuleType("instructlab.sdg")
package.__path__ = [os.path.join(path, "sdg") for path in instructlab.__path__]
sys.modules["instructlab.sdg"] = package
pipeline = importlib.import_module("instructlab.sdg.pipeline")
for module in ("filterblock", "iterblock", "llmblock", "utilblocks"):
    importlib.import_module(f"instructlab.sdg.blocks.{module}")


def main() -> None:
    import datasets
    import openai

    datasets.disable_progress_bars()
    url, *files = sys.argv[1:]
    first = json.load(sys.stdin)
    made = {}
    for file in files:
        client = openai.OpenAI(base_url=f"{url}/{os.path.basename(file)}/v1", api_key="none")
        context = pipeline.PipelineContext(
            client=client,
            model_id="stand-in",
            model_family="mixtral",
            num_instructions_to_generate=4,
            dataset_num_procs=None,
            batch_size=0,
        )
        flow = pipeline.Pipeline.from_file(context, file)
        made[file] = flow.generate(datasets.Dataset.from_list(first[file])).to_list()
    print(json.dumps(made))


if __name__ == "__main__":
    main()
