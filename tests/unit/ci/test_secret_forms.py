"""In which forms a secret is found: each way to write each character, mixed, one within the other, and base64."""

import base64
import html
import json
import random
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from baseten_deploy.ci.redaction import PLACEHOLDER, Redactor
from baseten_deploy.ci.secret_forms import Form, forms, with_letters

PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*"), min_size=4, max_size=40)
ANY = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="*"), min_size=4, max_size=20)


def redact(secret, text):
    """Redact one secret."""
    redactor = Redactor()
    redactor.add(secret)
    return redactor.redact(text)


def percent(char, draw):
    """One character as its UTF-8 bytes, each digit in either case."""
    return "".join("%" + draw(st.sampled_from([f"{byte:02x}", f"{byte:02X}"])) for byte in char.encode())


def unicode(char):
    r"""One character as `\uXXXX`, twice beyond the first plane."""
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


WAYS = [
    lambda char, _: char,
    percent,
    lambda char, draw: percent(char, draw).replace("%", "%25"),
    lambda char, _: unicode(char),
    lambda char, _: unicode(char).replace("\\", "\\\\"),
    lambda char, _: f"&#{ord(char)};",
    lambda char, _: f"&#x{ord(char):x};",
    lambda char, _: f"&#x{ord(char):04X};",
    lambda char, _: f"&amp;#{ord(char)};",
    lambda char, _: html.escape(char),
    lambda char, _: json.dumps(char)[1:-1],
    lambda char, _: json.dumps(json.dumps(char)[1:-1])[1:-1],
    lambda char, _: "\\/" if char == "/" else char,
]


class TestForms:
    """What is found."""

    @given(PRINTABLE, st.data())
    def test_each_character_in_a_way_of_its_own(self, secret, data):
        """Mixed as it comes: servers encode once more what was encoded in part."""
        if "\\" in secret:  # a run of them is written in one way
            way = data.draw(st.sampled_from(WAYS))
            text = "".join(way(char, data.draw) for char in secret)
        else:
            text = "".join(data.draw(st.sampled_from(WAYS))(char, data.draw) for char in secret)
        assert f"<{PLACEHOLDER}>" == redact(secret, f"<{text}>")

    @given(ANY, st.sampled_from(WAYS), st.data())
    def test_any_character(self, secret, way, data):
        """Of any script."""
        text = "".join(way(char, data.draw) for char in secret)
        assert f"<{PLACEHOLDER}>" == redact(secret, f"<{text}>")

    @given(PRINTABLE.filter(lambda text: len(text) >= 8), st.binary(max_size=7), st.binary(max_size=7), st.booleans())
    @example("a/b+c?d>e~f", b"user:", b"", True)
    def test_base64_loses_all_that_tells_of_it(self, secret, before, after, url_safe):
        """In each alignment and alphabet: what is left is what the other bytes alone say."""
        assume(len(set(secret)) > len(secret) // 2)  # one that repeats itself may begin in `before`: more of that goes
        encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
        text = encode(before + secret.encode() + after).decode()
        start, end = len(before) * 8 // 6, -(-(len(before) + len(secret)) * 8 // 6)
        assert text[:start] + PLACEHOLDER + text[end:] == redact(secret, text)

    @pytest.mark.parametrize("again", [quote, lambda text: text.replace("/", "\\/"), lambda text: quote(text, safe="")])
    def test_base64_encoded_once_more(self, again):
        """In a URL's query, or in JSON."""
        secret = "??>>~~key??>>"
        for user in ("", "u:", "user:", "Bearer "):
            redacted = redact(secret, again(base64.b64encode((user + secret).encode()).decode().rstrip("=")))
            assert PLACEHOLDER in redacted
            assert len(redacted) <= len(user) * 4 // 3 + len(PLACEHOLDER) + 3

    def test_secrets_that_overlap(self):
        """One that begins within another, or within itself: nothing of either stays."""
        redactor = Redactor()
        redactor.add("abcabc")
        redactor.add("bcxyz")
        assert f"-{PLACEHOLDER}-" == redactor.redact("-abcabcabcxyz-")

    def test_a_form_shows_nothing(self):
        """Nor does its `repr`."""
        assert "s3cret" not in repr(forms("s3cret-value"))
        assert "Form(***)" == repr(Form(tuple("s3cret")))


class TestHarmlessText:
    """What stays."""

    @given(st.text(), st.sampled_from(["s3cret-key", "pass/word&<", "a\\b\"c'd"]))
    def test_text_without_the_secret(self, text, secret):
        """Any text of which no reading has the secret is as it was."""
        readings = {text, html.unescape(text), text.replace("\\", "")}
        if not any(secret in reading for reading in readings):
            assert text == redact(secret, text)

    @given(st.binary(max_size=200))
    def test_base64_of_other_things(self, data):
        """Four characters in a row by chance are no secret: it takes all of them."""
        text = base64.b64encode(data).decode()
        if b"s3cret-key" not in data:
            assert text == redact("s3cret-key", text)

    @pytest.mark.parametrize(
        "text",
        [
            "100% of 25 steps",
            "a\\nb",
            "&amp; &lt; &#35;1",
            "%41%42%43",
            "\\u0041",
            "keys3cret",
            "https://h/a%20b?c=%2F",
        ],
    )
    def test_what_only_looks_encoded(self, text):
        """Encoded text that is another is not decoded on the way out."""
        assert text == redact("s3cret-key", text)

    def test_letters_that_are_letters(self):
        """The common case costs no second reading."""
        assert with_letters("a & b at 50% of u001") is None


class TestAdversaries:
    """Texts that are made to take long; what is checked is that they end."""

    @pytest.mark.parametrize("secret", ["\\" * 12 + "/" * 12, "%25%25%25%25", "&amp;&amp;", "aaaaaaaa", "+/+/+/+/"])
    @pytest.mark.parametrize("unit", ["\\", "%25", "%5C", "&amp;", "&#38;", "/", "a", "\\\\/", "%2525252f"])
    def test_many_of_what_may_repeat(self, secret, unit):
        """Patterns are bounded, so no text makes them try all ways to divide it."""
        redact(secret, unit * 20_000)

    def test_a_big_log(self):
        """A megabyte with some hundred forms of a dozen secrets, one of them in it."""
        chance = random.Random(7)
        secrets = ["".join(chance.choices(string.ascii_letters + string.digits + "+/=", k=40)) for _ in range(12)]
        redactor = Redactor()
        for secret in secrets:
            redactor.add(secret)
        log = "".join(f"step {step}: 50% of path=/app/{chance.random()}\n" for step in range(25_000))
        said = f"{log}{quote_plus(secrets[3], safe='')}\n{log}"
        assert f"{log}{PLACEHOLDER}\n{log}" == redactor.redact(said)
