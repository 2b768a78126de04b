"""What is said about an upload while it goes on."""

from dataclasses import dataclass

import pytest

from baseten_deploy.clock import Clock
from baseten_deploy.report.amounts import duration, size
from baseten_deploy.storage.progress import UploadProgress, expected_size, last_line, progress_line


@dataclass
class Packing:
    """An archive on its way."""

    bytes_read: int = 0
    source_bytes: int = 0
    total_source_bytes: int = 0


class Watch(Clock):
    """Time as the test says."""

    time = 0.0

    def now(self):
        """The test's seconds."""
        return self.time


def said_about(packing, rate, seconds):
    """Let an upload go on, heard once a second."""
    said, watch = [], Watch()
    progress = UploadProgress(said.append, watch)
    assert packing is progress.of(packing)
    for second in range(1, seconds + 1):
        watch.time = float(second)
        progress(rate * second)
    return said


def test_a_large_archive():
    """A line after two seconds and then every ten, with rate and time left."""
    assert [
        "Uploaded 16.0 MB of about 200.0 MB (8 %), 8.0 MB/s, about 23 s left",
        "Uploaded 96.0 MB of about 200.0 MB (48 %), 8.0 MB/s, about 13 s left",
    ] == said_about(Packing(100_000_000, 200_000_000, 400_000_000), 8_000_000, 20)


def test_a_small_archive():
    """Nothing, however slow it is: what counts is what goes over the line."""
    assert [] == said_about(Packing(10_000_000, 100_000_000, 400_000_000), 1000, 60)


def test_the_end():
    """What is all sent needs no estimate."""
    assert [] == said_about(Packing(60_000_000, 60_000_000, 60_000_000), 60_000_000, 10)


@pytest.mark.parametrize(
    ("packing", "expected"),
    [(Packing(0, 0, 70), 70), (Packing(10, 20, 100), 50), (Packing(120, 100, 100), 120), (Packing(512, 0, 0), 0)],
)
def test_expected_size(packing, expected):
    """The rest packs like what is packed; before that, nothing is saved."""
    assert expected == expected_size(packing)


def test_the_last_line():
    """The rate of an upload that took a while."""
    assert "Uploaded 200.0 MB in 25 s, 8.0 MB/s" == last_line(200_000_000, 25.0)
    assert "Uploaded 200.0 kB in 0.50 s" == last_line(200_000, 0.5)


def test_nothing_is_divided_by_nothing():
    """Not by no time, not by an empty archive."""
    assert "Uploaded 100.0 MB in 0 ms" == last_line(100_000_000, 0.0)
    assert "Uploaded 0 bytes of about 0 bytes (0 %)" == progress_line(0, 0, 0)


def test_amounts():
    """Powers of 1000; times as exact as anybody wants them."""
    assert ["1 byte", "999 bytes", "1.0 kB", "52.4 MB"] == [size(number) for number in (1, 999, 1000, 52_428_800)]
    seconds = (0.354, 4.21, 59.6, 61, 3580, 7499)
    assert ["0.35 s", "4.2 s", "1 min", "1 min 1 s", "1 h", "2 h 5 min"] == [duration(each) for each in seconds]
