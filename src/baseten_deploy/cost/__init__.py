"""What a deployment costs: its instance type, its replicas, the list price of both, now and then, and how that reads.

An estimate, and it says so. What is not known is said and never guessed. The calls are `service.api`; whether a run
with `max-hourly-cost` may go on is asked by `pipeline` and `planning`.
"""
