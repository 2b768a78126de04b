"""Environments of a model: looked up, created, set, and a promotion followed until it serves.

When to promote, and what happens when a check fails there, is `gate`; what an environment serves today, for comparison,
is `planning.live_deployment`.
"""
