"""The management API of the stand-in, by resource, read strictly and answered with the official SDK's models.

What exists and how it moves is `state`; faults and rehearsals are `control`; the model's own endpoint is `inference`.
"""
