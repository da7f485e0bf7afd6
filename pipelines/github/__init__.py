"""Graft on GitHub: a contribution from an issue, one comment on a pull request, commands, triage, a queue.

In: the payload of an event, and what GitHub's REST API says now. Out: commits, pull requests, comments,
labels. ``client`` speaks HTTP, ``api`` names the calls; all else is data in, decisions out. Whatever a
contributor wrote, and every artifact of a job that read it, is hostile.
"""
