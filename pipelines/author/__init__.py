"""Make leaves: by asking, from flags, from a document, from a table.

In: what a person says (``leaf.NewLeaf``), a document or a file of rows. Out: a folder in the tree that
``graft check`` accepts, written whole or not at all (``plant``), or seeds added to a leaf that is
there (``extend``). The commands in ``cli`` show what the check finds.
"""
