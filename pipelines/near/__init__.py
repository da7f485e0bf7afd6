"""Near-duplicates across a whole taxonomy: what is compared, and the index that makes it cheap.

``entries`` is what a leaf says, ``texts`` when two texts are twins, ``index`` which leaves hold them, and
``store`` keeps the index on disk, so that a change is compared with the whole tree at the price of the
change. ``check.comparison`` turns twins into findings.
"""
