"""One run of s3transfer, boto3's managed transfer, from a stream: bounded in memory, and stopped at any moment.

It is driven directly and not through `upload_fileobj`, because only its own configuration bounds the parts in memory
and only its future can be watched. What it lacks, and what is here: it reads a stream to the end although a part has
failed, takes a short read for the end, retries and waits for what a cancelled upload still has on its way, and keeps
the process alive for it.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from io import BytesIO
from typing import Any, Protocol

from s3transfer.futures import BaseExecutor, TransferFuture
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from baseten_deploy.service.answers import UploadTarget

from .client import Client

_PIECE_BYTES = 1024 * 1024  # read at once, so that a stopped upload soon stops packing
_POLL_SECONDS = 0.1
# Once a part has failed for good, what else is on its way is cut, and S3 is asked to forget the upload.
_CLEANUP_SECONDS, _CLEANUP_PATIENCE = 20.0, 10.0
# A cancelled job is killed after 7.5 s: a request that S3 may be acting on gets a moment to end, then it is cut.
_CANCEL_GRACE = 1.0
_CANCEL_SECONDS, _CANCEL_PATIENCE = 2.5, 1.5


class ThreadsError(Exception):
    """Not a single thread can be started: a limit of the container or of the user."""


class Stream(Protocol):
    """The archive while it is packed. `sha256` (hex) and `bytes_read` are valid once `read` has returned `b""`."""

    @property
    def sha256(self) -> str: ...  # noqa: D102

    @property
    def bytes_read(self) -> int: ...  # noqa: D102

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102

    def close(self) -> None: ...  # noqa: D102


def transfer(
    client: Client,
    stream: Stream,
    target: UploadTarget,
    *,
    part_bytes: int,
    parts_in_memory: int,
    threads: int,
    progress: Callable[[int], None],
) -> Exception | None:
    """Upload `stream` to its end; return what failed between here and S3, or None when S3 has it.

    Raises what the stream or `progress` raises, and what a signal handler raises in the caller's thread. When this
    returns or raises, `client` is stopped unless S3 has the archive, and nothing reads the stream any more, unless a
    cancelled read hangs.
    """
    source = _Source(stream)
    watch = _Watch()
    config = TransferConfig(
        multipart_threshold=part_bytes,
        multipart_chunksize=part_bytes,
        max_request_concurrency=threads,
        max_in_memory_upload_chunks=parts_in_memory,
    )
    manager = TransferManager(client.api, config, executor_cls=_DaemonThreads)
    try:
        future = manager.upload(source, target.bucket, target.key, subscribers=[watch])  # type: ignore[arg-type] # it reads
        while not watch.done.wait(_POLL_SECONDS):
            if future.done():  # it failed, and s3transfer waits for the rest
                source.stopped.set()
                client.stop(seconds=_CLEANUP_SECONDS, patience=_CLEANUP_PATIENCE)
            progress(watch.sent)
        manager.shutdown()
        if source.error is not None:
            raise source.error  # noqa: TRY301 - it ends like any other interruption
    except ThreadsError as error:  # before anything was begun
        client.stop(seconds=_CLEANUP_SECONDS, patience=_CLEANUP_PATIENCE)
        return error
    except BaseException:
        source.stopped.set()
        client.stop(seconds=_CANCEL_SECONDS, patience=_CANCEL_PATIENCE)
        if not watch.done.wait(_CANCEL_GRACE):
            client.cut()
            watch.done.wait(_CANCEL_SECONDS - _CANCEL_GRACE)
        raise
    try:
        future.result()
    except Exception as error:  # noqa: BLE001 - the caller knows which are S3's
        client.stop(seconds=_CLEANUP_SECONDS, patience=_CLEANUP_PATIENCE)
        return error
    progress(watch.sent)
    return None


class _Source:
    """The stream as s3transfer wants it: a short read only at the end, and an error once the upload is stopped."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.error: BaseException | None = None  # what the stream itself raised
        self.stopped = threading.Event()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = None) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        wanted = -1 if size is None else size
        whole = BytesIO()  # gives its buffer away without copying it, so a part is in memory once
        while wanted < 0 or whole.tell() < wanted:
            if self.stopped.is_set():
                raise CancelledError
            try:
                piece = self._stream.read(_PIECE_BYTES if wanted < 0 else min(_PIECE_BYTES, wanted - whole.tell()))
            except BaseException as error:
                self.error = error
                raise
            if not piece:
                break
            whole.write(piece)
        return whole.getvalue()


class _Watch(BaseSubscriber):
    """What s3transfer's threads report: bytes sent in this try, and the end, after the abort of a failed upload."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.sent = 0
        self._lock = threading.Lock()

    def on_progress(self, future: TransferFuture, bytes_transferred: int, **_: Any) -> None:  # noqa: ARG002
        """Count; a part that is sent again first takes back what it had reported."""
        with self._lock:
            self.sent += bytes_transferred

    def on_done(self, future: TransferFuture, **_: Any) -> None:  # noqa: ARG002
        """Let the caller go on."""
        self.done.set()


class _DaemonThreads(BaseExecutor):
    """A thread pool that does not keep the process from ending.

    A thread may hang where nothing reaches it (a name server, connect, a network file system), and Python joins the
    threads of its own pools before it exits.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        self._free = max_workers or 1
        self._threads: list[threading.Thread] = []
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn` in a thread, when one is free."""
        future: Future[Any] = Future()
        if self._free:
            self._start()
        self._tasks.put((future, partial(fn, *args, **kwargs)))
        return future

    def _start(self) -> None:
        """Start one more thread. Those that are there do all the work when the host allows no more."""
        thread = threading.Thread(target=self._work, name="upload", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # as `threading` says that the host refuses
            if not self._threads:
                raise ThreadsError(str(error) or type(error).__name__) from None
            self._free = 0
        else:
            self._free -= 1
            self._threads.append(thread)

    def shutdown(self, wait: bool = True) -> None:
        """End the threads after what is submitted."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, run = task
            try:
                future.set_result(run())
            except BaseException as error:  # noqa: BLE001 - the future carries it
                future.set_exception(error)
            del task, future, run  # a part's bytes hang on them
