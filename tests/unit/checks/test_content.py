"""An answer is taken for what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.checks.content import Content, read_content

DIGEST_OF_NULS = "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7"


class TestBytes:
    """What nobody reads."""

    def test_label(self):
        """Size, type, digest."""
        shown = f"binary, 4 096 bytes, audio/wav, SHA-256 {DIGEST_OF_NULS}"
        assert shown == read_content(bytes(4096), "audio/wav").shown

    @pytest.mark.parametrize(
        ("data", "content_type"),
        [
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"\x89PNG\r\n\x1a\n", ""),
            (b"text by chance", "AUDIO/L16; rate=16000"),
            (b"text\0text", "text/plain"),
            (b'{"a": "\0"}', "application/json"),
            (b"\xff\xfe", "application/octet-stream"),
            (b"PK\x03\x04", "application/zip"),
            (b"\x93NUMPY\x01\x00", "application/octet-stream; charset=binary"),
            (bytes(range(256)), "rot13"),
        ],
    )
    @pytest.mark.parametrize("streamed", [False, True])
    def test_binary(self, data, content_type, streamed):
        """By its type, in any case, else by what no text has; also when a stream was asked for."""
        assert read_content(data, content_type, streamed=streamed).shown.startswith(f"binary, {len(data)} bytes, ")

    @pytest.mark.parametrize(
        ("data", "content_type", "text"),
        [
            (b"pong", "", "pong"),
            (b"pong", "application/octet-stream", "pong"),
            (b"<svg/>", "image/svg+xml", "<svg/>"),
            ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
            ("é".encode("latin-1"), "text/plain", "\ufffd"),
            ("pong".encode("utf-16"), 'text/plain; Charset="utf-16"', "pong"),
            (b"\xef\xbb\xbf{}", "application/json", "{}"),
            (b"\x1b[31mred\x1b[0m", "text/plain", "\x1b[31mred\x1b[0m"),
            (b"", "audio/wav", ""),
            (b"x", "text/plain; charset=rot13", "x"),
        ],
    )
    def test_text(self, data, content_type, text):
        """In the character set that it names; a broken character is replaced."""
        assert Content(text, text) == read_content(data, content_type)

    def test_cut_within_a_character(self):
        """Half of one at the end does not make bytes of a text."""
        assert "é\ufffd" == read_content("éé".encode()[:-1], whole=False).text

    def test_a_cut_one_has_no_digest(self):
        """Only a lower bound of its size is known."""
        assert "binary, more than 3 bytes, image/png" == read_content(b"\0\1\2", "image/png", whole=False).shown

    @pytest.mark.parametrize(
        "content_type", ["audio/wav\x00", "a/b<script>", "x" * 500, "audio/\u202e", "//", "image/"]
    )
    def test_a_type_that_is_none(self, content_type):
        """Is not repeated."""
        shown = read_content(b"\0", content_type).shown
        assert shown.startswith("binary, 1 byte, of an unknown type")

    @given(st.binary(), st.text(), st.booleans())
    def test_any_bytes(self, data, content_type, streamed):
        """Something comes of it, and nothing that a NUL is in."""
        assert "\0" not in read_content(data, content_type, streamed=streamed).shown or "charset" in content_type


def stream(text, content_type="text/event-stream"):
    """Take the text of an event stream."""
    return read_content(text.encode(), content_type)


class TestStream:
    """Server-sent events."""

    @pytest.mark.parametrize(
        ("text", "joined", "count"),
        [
            ("data: a\rdata: b\r\rdata: c\r\r", "a\nb\nc", 2),
            ("data: a\r\n\r\ndata: b\n\ndata: c\r\r", "a\nb\nc", 3),
            ("\ufeffdata: a\n\n", "a", 1),
            ("data\n\ndata:\n\n", "\n", 2),
            ("event: message\ndata: a\n\n", "a", 1),
            ("retry: 10\ndata: a\n\n", "a", 1),
            ("data: a\n\ndata: [DONE]\n\n", "a", 1),
            ('data: {"error": null, "x": 1}\n\n', '{"error": null, "x": 1}', 1),
            ("data: error: not really\n\n", "error: not really", 1),
        ],
    )
    def test_events(self, text, joined, count):
        """By the standard, whichever line ends."""
        answer = stream(text)
        assert (joined, count, "") == (answer.text, answer.events, answer.error)

    @pytest.mark.parametrize(
        "content_type", ["text/event-stream", "Text/Event-Stream; charset=UTF-8", "TEXT/EVENT-STREAM"]
    )
    def test_the_type_in_any_case(self, content_type):
        """Is the type."""
        assert 1 == stream("data: a\n\n", content_type).events

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("event: error\ndata: out of memory\n\n", "carried an error: out of memory"),
            ('event: Error\ndata: {"message": "boom"}\n\n', "carried an error: boom"),
            ("event: error\n\n", "carried an error: without a word of what it is"),
            ('data: a\n\ndata: {"error": {"message": "boom"}}\n\n', "carried an error: boom"),
            ('data: {"error": "boom"}', "carried an error: boom"),
            ('data: {"object": "error", "message": "boom"}\r\r', "carried an error: boom"),
            ('data: {"type": "error", "error": {"type": "overloaded_error", "message": "boom"}}\n\n', None),
            ("data: [DONE]\n\n", "ended without a single event"),
            (": ping\n\n: ping\n\n", "ended without a single event"),
            ("", "ended without a single event"),
            ("no event at all", "ended without a single event"),
        ],
    )
    def test_what_is_no_answer(self, text, error):
        """An error in it, or nothing."""
        answer = stream(text)
        assert answer.error if error is None else error == answer.error

    def test_only_comments_though_no_type_tells(self):
        """A stream was asked for, and this is one, without an event."""
        assert "ended without a single event" == read_content(b": ping\n\n", streamed=True).error
