"""The syntax of Java properties files (`java.util.Properties.load`).

Comments with `#` or `!`, separators `=`, `:` or white space, a backslash that
continues a line or escapes a character, `\\uXXXX`. Text is UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterator

from kbroker.config.key import ConfigError

_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse(text: str) -> dict[str, str]:
    """Names and values; of a repeated name the last value. Raises ConfigError on a bad `\\u`."""
    properties: dict[str, str] = {}
    for number, line in _logical_lines(text):
        name_end, value_start = _split(line)
        name = _unescape(line[:name_end], number)
        properties[name] = _unescape(line[value_start:], number)
    return properties


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines joined where a backslash continues them, without blank ones and comments."""
    # Java ends lines at \n, \r and \r\n only; str.splitlines knows eight more.
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    joined = ""
    first = 0
    continued = False
    for number, line in enumerate(lines, 1):
        line = line.lstrip(_BLANK)
        if not joined:
            if not line or line[0] in "#!":
                continued = False
                continue
            first = number
        # An even number of backslashes at the end are escaped ones.
        continued = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        joined += line[:-1] if continued else line
        if not continued:
            yield first, joined
            joined = ""
    # Java makes an empty name of a lone backslash at the end; nobody means that.
    if joined:
        yield first, joined


def _split(line: str) -> tuple[int, int]:
    """Where the name ends and where the value begins."""
    end = 0
    while end < len(line) and line[end] not in "=:" + _BLANK:
        end += 2 if line[end] == "\\" else 1
    end = min(end, len(line))
    start = end
    while start < len(line) and line[start] in _BLANK:
        start += 1
    if start < len(line) and line[start] in "=:":
        start += 1
        while start < len(line) and line[start] in _BLANK:
            start += 1
    return end, start


def _unescape(text: str, number: int) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character != "\\" or position == len(text):
            out.append(character)
            continue
        escaped = text[position]
        position += 1
        if escaped == "u":
            out.append(_unicode(text[position : position + 4], number))
            position += 4
        else:
            out.append(_ESCAPES.get(escaped, escaped))
    # Java writes characters beyond the first 65,536 as two escapes.
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unicode(digits: str, number: int) -> str:
    if len(digits) == 4 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
        return chr(int(digits, 16))
    raise ConfigError(f"line {number}: \\u must be followed by four hexadecimal digits")
