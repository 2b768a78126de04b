"""The statuses of a deployment, and of a chainlet, by what they mean. What follows from them is `deployment.states`.

Spec: the enum of deployment statuses of the management API, which grows: an unknown one is on its way.
"""

IN_PROGRESS = frozenset({"BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP"})
LIVE = frozenset({"ACTIVE", "SCALED_TO_ZERO"})
FAILED = frozenset({"BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED", "INACTIVE", "DEACTIVATING"})
UNHEALTHY = "UNHEALTHY"
