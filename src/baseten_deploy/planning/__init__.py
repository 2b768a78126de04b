"""`mode: plan` and `skip-unchanged`: what is live, how it differs from what would be deployed, and how that reads.

Changes nothing. What is sent for a deployment is put together in `deployment`.
"""
