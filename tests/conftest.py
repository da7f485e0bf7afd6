"""What holds for every test: no deadline, and idle threads that leave the cores to others.

A busy machine must fail no property test, and OpenMP threads that spin while they wait make a
training test take a hundred times as long beside another process (the Makefile says the same).
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from hypothesis import settings

settings.register_profile("graft", deadline=None, database=None, derandomize=True)
settings.load_profile("graft")
