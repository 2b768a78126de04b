"""The CI system around the run: the runner's commands and files, event and commit, outputs, secrets kept out of text.

The only package that knows GitHub's variables. What is said is written elsewhere: the summary in `report`, the
pull-request comment in `comment`, what goes wrong in `errors`.
"""
