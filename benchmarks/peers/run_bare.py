"""aiohttp alone, as many requests of the common rows and nothing done with the answers; see ``common``.

Not a peer: it tells what the machine, busy as it may be, and the server leave for anyone to reach.
"""

from __future__ import annotations

import common  # first: it looks at the clock

# isort: split
import asyncio
import re
from collections.abc import Iterator
from typing import Any

import aiohttp

_SLOT = re.compile(r"\{\{ (\w+) \}\}")


def _bodies(inputs: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    pairs = [("", "")] + [(f"Question {number}?", "An answer.") for number in range(3)]
    for columns in inputs:
        for question, answer in pairs:
            values = {**columns, "question": question, "answer": answer}
            prompt = common.JUDGE if question else common.ASK
            text = _SLOT.sub(lambda slot, values=values: values[slot.group(1)], prompt)
            messages = [{"role": "user", "content": text}]
            yield {"model": common.MODEL, "temperature": 0, "messages": messages}


async def _all(url: str, inputs: list[dict[str, str]], concurrency: int) -> int:
    bodies, done = _bodies(inputs), 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            nonlocal done
            for body in bodies:
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    await response.json()
                done += 1

        await asyncio.gather(*(worker() for _ in range(concurrency)))
    return done


def run(url: str, inputs: list[dict[str, str]], concurrency: int) -> int:
    """How many requests were answered."""
    return asyncio.run(_all(url, inputs, concurrency))


if __name__ == "__main__":
    common.main(lambda: aiohttp.__version__, run)
