"""What the live model is asked, and whether it answers as it should: the smoke test, and the checks of a file.

A check's way: `field_table`, `field_values` and `file` read it into `check`; `proof` has the whole suite run at one
place; `suite_run` runs one check, by `load` (how many at once), `session` (again while the model wakes up),
`connection` and `websocket` (the wire) and `link` (its clock); `judge` and `comparison` look at an `answer`, `results`
count; `table` and `junit` tell. All but `smoke_test` is loaded only where the input `checks` is set; `pace`, which says
how fast the smoke test's answer came, once that is there.

What an answer to the smoke test is expected to contain is read by `inputs.expectation`; what follows from a failure is
`gate` and `deployment.on_failure`.
"""
