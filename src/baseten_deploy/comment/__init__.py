"""The comment on the pull request: one for each directory, model and target, whatever becomes of the run.

`writing` leaves it, `conversation` finds and edits it, `marker` says whose it is, `refusals` what to do when GitHub
says no. What it says is made by `report`.
"""
