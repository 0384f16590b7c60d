"""What a configuration key is: its type, default, limits and scope.

Values arrive as text and are parsed as Apache Kafka's `ConfigDef` parses them,
with its messages, because clients see these in CreateTopics and AlterConfigs.
"""

from __future__ import annotations

from collections.abc import Callable

# The ids DescribeConfigs gives to types.
UNKNOWN, BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS, PASSWORD = range(10)

TYPE_NAMES = ("UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD")

# How a broker key may be changed while the broker runs.
READ_ONLY, PER_BROKER, CLUSTER_WIDE = range(3)

Value = bool | int | float | str | list[str] | None
Check = Callable[[str, Value], None]

_LIMITS = {SHORT: 1 << 15, INT: 1 << 31, LONG: 1 << 63}


class ConfigError(ValueError):
    """A bad configuration, as one sentence for the person who wrote it."""


def invalid(name: str, value: Value | str, why: str) -> ConfigError:
    return ConfigError(f"Invalid value {_shown(value)} for configuration {name}: {why}")


def _shown(value: Value) -> str:
    # As Java prints it: a list in brackets, all else as in a file.
    return f"[{', '.join(value)}]" if isinstance(value, list) else format_value(value) or ""


class Range:
    """A number between two limits, each included."""

    __slots__ = ("high", "low")

    def __init__(self, low: float | None, high: float | None = None) -> None:
        self.low = low
        self.high = high

    def __call__(self, name: str, value: Value) -> None:
        assert isinstance(value, (int, float))
        if self.low is not None and value < self.low:
            raise invalid(name, value, f"Value must be at least {self.low}")
        if self.high is not None and value > self.high:
            raise invalid(name, value, f"Value must be no more than {self.high}")

    def __str__(self) -> str:
        if self.high is None:
            return f"≥ {self.low}"
        return f"{self.low} … {self.high}"


class OneOf:
    """One of some words."""

    __slots__ = ("any_case", "words")

    def __init__(self, *words: str, any_case: bool = False) -> None:
        self.words = words
        self.any_case = any_case

    def __call__(self, name: str, value: Value) -> None:
        assert isinstance(value, str)
        if self.any_case:
            if value.upper() not in map(str.upper, self.words):
                raise invalid(name, value, f"String must be one of (case insensitive): {self._joined()}")
        elif value not in self.words:
            raise invalid(name, value, f"String must be one of: {self._joined()}")

    def _joined(self) -> str:
        return ", ".join(self.words)

    def __str__(self) -> str:
        return self._joined()


class Items:
    """A list without empty items; of some words if given. Duplicates do no harm."""

    __slots__ = ("may_be_empty", "one_of", "words")

    def __init__(self, *words: str, may_be_empty: bool = True) -> None:
        self.words = words
        self.one_of = OneOf(*words)
        self.may_be_empty = may_be_empty

    def __call__(self, name: str, value: Value) -> None:
        assert isinstance(value, list)
        if not value and not self.may_be_empty:
            raise ConfigError(f"Configuration '{name}' must not be empty.")
        if "" in value:
            raise ConfigError(f"Configuration '{name}' values must not be empty.")
        if self.words:
            for item in value:
                self.one_of(name, item)

    def __str__(self) -> str:
        return f"any of {', '.join(self.words)}" if self.words else "a list"


def gzip_level(name: str, value: Value) -> None:
    assert isinstance(value, int)
    if value != -1 and not 1 <= value <= 9:
        raise invalid(name, value, "Value must be between 1 and 9 or equal to -1")


def not_blank(name: str, value: Value) -> None:
    if not value:
        raise invalid(name, value, "String must be non-empty")


def throttled_replicas(name: str, value: Value) -> None:
    """`*`, or `partition:broker` pairs (Kafka: `ThrottledReplicaListValidator`)."""
    assert isinstance(value, list)
    if value == ["*"]:
        return
    for item in value:
        partition, colon, broker = item.partition(":")
        if not (colon and _is_number(partition) and _is_number(broker)):
            raise invalid(
                name,
                value,
                f"{name} must be the literal '*' or a list of replicas in the following format: "
                "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
            )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


class ConfigKey:
    """One key. `default` is text, as a file would hold it; None means unset."""

    __slots__ = ("check", "default", "internal", "kind", "name", "update")

    def __init__(
        self,
        name: str,
        kind: int,
        default: str | None,
        check: Check | None = None,
        update: int = READ_ONLY,
        internal: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.check = check
        self.update = update
        # Kafka hides these from DescribeConfigs.
        self.internal = internal

    @property
    def sensitive(self) -> bool:
        return self.kind == PASSWORD

    def parse(self, text: str) -> Value:
        """The typed and checked value; raises ConfigError."""
        value = parse_value(self.name, self.kind, text)
        if self.check is not None:
            self.check(self.name, value)
        return value

    def default_value(self) -> Value:
        return None if self.default is None else parse_value(self.name, self.kind, self.default)


def parse_value(name: str, kind: int, text: str) -> Value:
    """Text to a value of `kind`, without the key's own limits."""
    text = text.strip()
    if kind in _LIMITS:
        return _parse_integer(name, kind, text)
    if kind == BOOLEAN:
        word = text.lower()
        if word not in ("true", "false"):
            raise invalid(name, text, "Expected value to be either true or false")
        return word == "true"
    if kind == DOUBLE:
        return _parse_double(name, text)
    if kind == LIST:
        return [item.strip() for item in text.split(",")] if text else []
    return text


def _parse_integer(name: str, kind: int, text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    # 20 digits hold every long; more are never converted.
    if _is_number(digits) and len(digits.lstrip("0")) < 20:
        value = int(text)
        if -_LIMITS[kind] <= value < _LIMITS[kind]:
            return value
    raise invalid(name, text, f"Not a number of type {TYPE_NAMES[kind]}")


def _parse_double(name: str, text: str) -> float:
    if "_" not in text and len(text) <= 400:
        try:
            return float(text)
        except ValueError:
            pass
    raise invalid(name, text, "Not a number of type DOUBLE")


def format_value(value: Value) -> str | None:
    """A value as Kafka prints it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _format_double(value)
    if isinstance(value, list):
        return ",".join(value)
    return str(value)


def _format_double(value: float) -> str:
    # Java's Double.toString: plain between 0.001 and 10,000,000, else 1.0E7.
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    # The shortest digits that read back as the same number.
    text = next(text for digits in range(1, 18) if float(text := f"{value:.{digits}e}") == value)
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}E{int(exponent)}"
