"""What a test or a rehearsal holds in its hands: faults, the record of what came in, and calls for other processes.

What exists is `state`; the calls that a deploy step makes are `api`.
"""
