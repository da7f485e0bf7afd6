"""Operations a second of large products, for as long as is said: what the machine leaves right now."""

from __future__ import annotations

import json
import sys
import time

import torch


def speed(device: str, threads: int, seconds: float = 2.0) -> float:
    """float32 of 1,024 on the CPU, bfloat16 of 8,192 on CUDA."""
    torch.set_num_threads(threads)
    cuda = device == "cuda"
    size = 8192 if cuda else 1024
    one = torch.randn(size, size, dtype=torch.bfloat16 if cuda else torch.float32, device=device)
    for _ in range(3):
        one @ one
    wait = torch.cuda.synchronize if cuda else lambda: None
    wait()
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(10):
            one @ one
        wait()
        done += 10
    return done * 2.0 * size**3 / (time.perf_counter() - started)


if __name__ == "__main__":
    print(json.dumps({"speed": speed(sys.argv[1], int(sys.argv[2]))}))
