"""Property tests without a deadline: this machine may be busy, and no test asserts a time."""

from hypothesis import settings

settings.register_profile("graft", deadline=None, database=None, derandomize=True)
settings.load_profile("graft")
