"""`python -m baseten_deploy`: the action as an installed package. Elsewhere `entrypoint.py` starts it."""

from baseten_deploy import launch

launch.prepare()

from baseten_deploy.main import leave, main  # noqa: E402 - a job may be cancelled at any moment, also while importing

if __name__ == "__main__":
    leave(main())
