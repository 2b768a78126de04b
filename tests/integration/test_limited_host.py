"""Whole runs on a host that allows few threads, as the limit of processes of a container does."""

import sys

import pytest

from runner import ROOT, Launcher

# The interpreter's own way to start a thread, which counts as the kernel would; then the entry point as it is started.
LIMITED = """
import _thread, sys, threading
lock, start, most, running = threading.Lock(), _thread.start_new_thread, int(sys.argv[1]), 0

def counted(function, arguments, *more):
    global running
    with lock:
        if running >= most:
            raise RuntimeError("can't start new thread")
        running += 1

    def body(*given):
        global running
        try:
            function(*given)
        finally:
            with lock:
                running -= 1

    return start(body, arguments, *more)

_thread.start_new_thread = threading._start_new_thread = counted
import runpy
sys.argv = [sys.argv[2]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def allow(job, threads):
    """Have the step's process run so many threads at a time at most, beside the main one."""
    command = (sys.executable, "-I", "-B", "-u", "-X", "utf8", "-c", LIMITED, str(threads), str(ROOT / "entrypoint.py"))
    job.runner.launcher = Launcher(command)


@pytest.mark.parametrize("threads", [5, 10, 20])
def test_few_threads_are_enough(job, threads):
    """Fewer work at the upload, or the log is read at the end; the deployment is the same."""
    (job.truss / "data.bin").write_bytes(bytes(range(256)) * 100_000)
    allow(job, threads)
    result = job.run()
    assert "success" == result.outputs["status"], result.log
    assert "Traceback" not in result.log.text


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_none_is_told(job, threads):
    """What is missing and how to get it; a plan needs none."""
    allow(job, threads)
    planned = job.run(mode="plan")
    assert "planned" == planned.outputs["status"], planned.log
    result = job.run()
    assert result.outputs["status"] in ("success", "upload_failed"), result.log
    assert "Traceback" not in result.log.text
    if result.outputs["status"] == "upload_failed":
        assert "--pids-limit" in result.log.text
    assert threads or "upload_failed" == result.outputs["status"]
