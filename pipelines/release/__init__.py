"""Releases: what a user gets, and what the next run starts from.

In: a directory that the stages built, and the manifest that says what it is. Out: a tagged release
on a target, published whole or not at all. ``targets`` holds where releases lie, ``manifest`` reads
them and walks their ancestry, ``verify`` checks every digest, ``card`` writes what people read.
"""
