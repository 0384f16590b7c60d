"""The syntax of properties files."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.config import ConfigError, properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("a:b", {"a": "b"}),
        ("a b", {"a": "b"}),
        ("a = b ", {"a": "b "}),
        ("\t a \t:\f b", {"a": "b"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("a==b", {"a": "=b"}),
        ("a= :b", {"a": ":b"}),
        ("=b", {"": "b"}),
        ("# c\n  ! d\n\n a=b", {"a": "b"}),
        ("a=b # no comment", {"a": "b # no comment"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=b\\\n   c", {"a": "bc"}),
        ("a=b\\\\\nc=d", {"a": "b\\", "c": "d"}),
        ("a=b,\\\n\\\n  c", {"a": "b,c"}),
        ("a=b\\", {"a": "b"}),
        ("# c\\\na=b", {"a": "b"}),
        ("\\\n# c\n\\\n\na=b\n\\", {"a": "b"}),
        ("a=\\\n# no comment", {"a": "# no comment"}),
        (r"a\ b\:c\=d=e", {"a b:c=d": "e"}),
        (r"a=\t\n\r\f\q\\", {"a": "\t\n\r\fq\\"}),
        ("a=\\u0041\\u00e9é", {"a": "Aéé"}),
        ("a=\\ud83d\\ude00", {"a": "😀"}),
        ("a=\\ud83d", {"a": "\ufffd"}),
        ("\ufeffa=b", {"a": "b"}),
        # Only Java's line ends end a line.
        ("a=b\u2028c\x0b\x85", {"a": "b\u2028c\x0b\x85"}),
        ("log.dirs=C:\\\\data", {"log.dirs": "C:\\data"}),
    ],
)
def test_parse(text: str, expected: dict[str, str]) -> None:
    assert properties.parse(text) == expected


@pytest.mark.parametrize("text", ["a=\\u12", "a=\\u12g4", "a=\\u", "x\\u+123=1", "a=\\u 123"])
def test_a_broken_unicode_escape_names_its_line(text: str) -> None:
    with pytest.raises(ConfigError, match="line 2: "):
        properties.parse("ok=1\n" + text)


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_escaped_comes_back(expected: dict[str, str]) -> None:
    def escape(text: str) -> str:
        units = text.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))

    text = "\n".join(f"{escape(name)}={escape(value)}" for name, value in expected.items())
    # A name of no characters and no line at all are written the same way: nothing.
    assert properties.parse(text) == expected


@given(st.text(alphabet="ab=: \\\n\r\t#!u0é"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        properties.parse(text)
