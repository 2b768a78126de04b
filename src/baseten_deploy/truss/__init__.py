"""The Truss on disk: its config and where its keys stand, its ignore rules, and the list of the files that it packs.

All mistakes that can be found without asking anybody. How the files become an archive is `archive`; what of the config
is sent is `deployment.payload`; the same facts about what is live are `planning`.
"""
