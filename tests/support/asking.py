"""Backends asked without an event loop of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pipelines.backends import Backend, Call


def texts(backend: Backend, calls: Sequence[Call]) -> list[str]:
    """The text of one answer a call, in order, all asked at once."""

    async def ask() -> list[str]:
        return [found.text for found in await asyncio.gather(*map(backend.answer, calls))]

    return asyncio.run(ask())


def answering(backend: Backend) -> Callable[[Sequence[Call]], list[str]]:
    """``texts`` of one backend."""
    return lambda calls: texts(backend, calls)
