"""What the live model is asked, and whether it answers as it should.

What an answer is expected to contain is read by `inputs.expectation`; what follows from a failure is `gate` and
`deployment.on_failure`.
"""
