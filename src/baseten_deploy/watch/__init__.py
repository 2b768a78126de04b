"""Staying after the deployment is live: its metrics, against limits and what served before. `judgement` is pure.

`watch` follows them, `baseline` is what they are compared with, `page` is what people read. What comes of a watch that
failed, taking the promotion back, is `gate`'s; the limits are `inputs.watch_limits`, the answers `service.metrics`.
"""
