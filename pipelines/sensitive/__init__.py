"""Text that a person should see before it is taught: data of people, abuse.

In: a text. Out: what was found and where, nothing more: a check makes it a finding, a filter of generated
rows a reason to leave one out. ``personal`` and ``identities`` know addresses and numbers, ``lexicon``
finds the words of a list, ``abuse`` is such a list.
"""
