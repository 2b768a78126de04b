"""Registering the deployed model in NVIDIA's NeMo Platform: the entity, the provider, their API and its refusals.

What the `nemo-*` inputs may say, and which name an entity has by default, is `inputs.nemo`.
"""
