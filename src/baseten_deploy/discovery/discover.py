"""x"""

from baseten_deploy.run import Run


def discover_trusses(run: Run) -> None:
    """X"""
