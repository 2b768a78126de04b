"""Chains: the file with the entry point, imported and pushed by `truss` in a process of its own; its pages.

What follows once it is pushed (waiting, smoke test, promotion, roll-back, retiring) is the code for models, by way of
`service.chain_api`. What a Chain may not be asked for is `inputs.chain`, its environments' settings are
`environment.chain_settings`.
"""
