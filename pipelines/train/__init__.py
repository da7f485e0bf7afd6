"""Rows → weights: release zero from nothing (``scratch``), or a LoRA adapter for one change (``adapter``).

``lineage`` says which release a run may continue and imports nothing heavy; the rest imports torch, and
so the package itself imports nothing. The same input gives the same bytes on the same machine type,
versions and threads: nothing here reads a clock.
"""
