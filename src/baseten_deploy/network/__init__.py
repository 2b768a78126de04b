"""The way out of this machine: proxies, what goes without them, certificates, and what stands in between.

Every connection of a run takes it: the management API, the model, S3, the NeMo Platform, GitHub. What is asked there is
`service`, `storage`, `nemo` and `comment`; whether a call is tried again is `service.retry`. Which variables count, and
what they mean, is told to users in `docs/network.md`.
"""
