"""`python -m baseten_deploy`: the action as an installed package. Elsewhere `entrypoint.py` starts it."""

from baseten_deploy import signals

signals.remember()  # before the imports: a job may be cancelled at any moment

from baseten_deploy.main import leave, main  # noqa: E402 - see above

if __name__ == "__main__":
    leave(main())
