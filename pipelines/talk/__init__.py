"""Talking to a model: which one it is, a conversation on a terminal or a pipe, a server.

In: a release of a target, or a run. Out: answers. ``subject`` finds and checks the model, ``conversation``
keeps what was said, ``server`` answers the requests of OpenAI's clients.
"""
