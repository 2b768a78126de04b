"""The closed list of statuses, written down once more by hand, with its exit codes."""

from baseten_deploy.status import Status

EXIT_CODES = {
    **dict.fromkeys(["success", "planned", "skipped"], 0),
    **dict.fromkeys(["invalid", "auth_failed", "rejected", "upload_failed", "commit_failed"], 1),
    **dict.fromkeys(
        ["deploy_failed", "deploy_timeout", "predict_failed", "watch_failed", "promotion_failed", "rolled_back"], 1
    ),
    **dict.fromkeys(["registration_failed", "cleanup_failed"], 1),
    "cancelled": 130,
    "internal_error": 1,
}


class TestStatus:
    """Names and exit codes."""

    def test_exit_codes(self):
        """0 did what was asked, 130 as a shell says it of SIGINT, 1 the rest."""
        assert EXIT_CODES == {str(status): status.exit_code for status in Status}
