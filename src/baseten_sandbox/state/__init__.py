"""What the stand-in remembers, and how it moves with time: models, deployments, environments, promotions.

What may be asked, and how an answer looks on the wire, is `api`.
"""
