"""Writes the straight-line writers.

The mirror of the readers: fixed-size fields that follow each other, with the
length behind them, are one pack; strings, bytes and records are parts of
their own. A tagged field is sent only if it differs from its default.
"""

from codegen.emit_types import is_set
from codegen.model import FIXED, Field, Message, Struct, snake_case
from codegen.source import MESSAGE, Source

_RESERVED = {MESSAGE, "out", "version", "append", "count", "data", "tags"}


def write_function(message: Message, version: int) -> Source:
    """The body of the writer; the same text for versions of the same layout."""
    source = Source(message, version, _RESERVED)
    writer = _Writer(source, "append")
    writer.struct(message.struct, MESSAGE)
    writer.flush()
    if any(" append(" in line for line in source.lines):
        source.lines.insert(0, "    append = out.append")
    if not source.lines:
        source.add("pass")
    return source


class _Writer:
    """Emits the writing of values to one list of parts."""

    def __init__(self, source: Source, append: str) -> None:
        self._source = source
        self._add = source.add
        self._version = source.version
        self._append = append
        # The run of fixed-size values not yet emitted: format codes and expressions.
        self._run: list[tuple[str, str]] = []

    # --- structs ---

    def struct(self, struct: Struct, variable: str) -> None:
        """Write a struct; may leave a run open."""
        for field in struct.absent(self._version):
            if not field.ignorable:
                self._refuse_missing(field, variable)
        for field in struct.positional(self._version):
            self.field(field, f"{variable}.{field.name}")
        if self._source.flexible:
            self._tagged_section(struct, variable)

    def _refuse_missing(self, field: Field, variable: str) -> None:
        self._add(f"if {is_set(field, f'{variable}.{field.name}')}:")
        helper = self._source.helper("missing_field")
        self._add(f'    raise {helper}("{self._label(variable, field)}", version)')

    def _label(self, variable: str, field: Field) -> str:
        return f"{self._source.message.name if variable == MESSAGE else variable}.{field.name}"

    def _tagged_section(self, struct: Struct, variable: str) -> None:
        known = struct.tagged(self._version)
        if not known:
            self._run.append(("x", ""))
            return
        self.flush()
        tests = [is_set(field, f"{variable}.{field.name}") for field in known]
        self._add(f"if {' or '.join(tests)}:")
        self._source.indent += 1
        if len(known) == 1:
            self._run = [("B", "1")]
            self._tagged_field(known[0], f"{variable}.{known[0].name}")
        else:
            self._add(f"tags = {' + '.join(f'bool({test})' for test in tests)}")
            self._add(f"{self._append}({self._source.helper('ONE_BYTE')}[tags])")
            for field, test in zip(known, tests, strict=True):
                self._add(f"if {test}:")
                self._source.indent += 1
                self._tagged_field(field, f"{variable}.{field.name}")
                self._source.indent -= 1
        self._source.indent -= 1
        self._add("else:")
        self._add(f'    {self._append}(b"\\0")')

    def _tagged_field(self, field: Field, value: str) -> None:
        assert field.tag < 128
        if field.type in FIXED:
            code, width, _ = FIXED[field.type]
            self._run += [("B", str(field.tag)), ("B", str(width)), (code, value)]
            self.flush()
            return
        parts = self._source.name(f"{field.name}_parts")
        self._add(f"{parts}: list[Part] = []")
        inner = _Writer(self._source, f"{parts}.append")
        if field.default is None:
            inner.present(field, value)
        else:
            inner.field(field, value)
        inner.flush()
        size = f"{self._source.helper('uvarint')}({self._source.helper('size_of')}({parts}))"
        self._run.append(("B", str(field.tag)))
        self._add(f"{self._append}({self._packed()} + {size})")
        self._run = []
        self._add(f"{self._parts()}.extend({parts})")

    def _parts(self) -> str:
        """The list that is appended to."""
        return "out" if self._append == "append" else self._append.removesuffix(".append")

    # --- fields ---

    def field(self, field: Field, value: str) -> None:
        if field.type in FIXED:
            self._run.append((FIXED[field.type][0], value))
        elif field.type == "struct":
            self._nested(field, value)
        elif field.can_be_null:
            self._nullable(field, value)
        else:
            self._content(field, value)

    def _nullable(self, field: Field, value: str) -> None:
        run = self._run
        self._add(f"if {value} is None:")
        self._source.indent += 1
        if self._version in field.nullable:
            if self._is_compact(field):
                self._run = [*run, ("x", "")]
            else:
                self._run = [*run, ("h" if field.type == "string" else "i", "-1")]
            self.flush()
            self._source.indent -= 1
            self._add("else:")
            self._source.indent += 1
            self._run = list(run)
            self._content(field, value)
            self.flush()
            self._source.indent -= 1
        else:
            self._add(f'raise {self._source.helper("null_field")}("{value}", version)')
            self._source.indent -= 1
            self._content(field, value)

    def _nested(self, field: Field, value: str) -> None:
        assert field.struct is not None
        if field.can_be_null:
            self._nullable_nested(field, value)
            return
        variable = self._source.name(snake_case(field.struct.name))
        self._add(f"{variable} = {value}")
        self.struct(field.struct, variable)

    def _nullable_nested(self, field: Field, value: str) -> None:
        assert field.struct is not None
        assert self._version in field.nullable
        run = self._run
        self._add(f"if {value} is None:")
        self._source.indent += 1
        # A tagged struct's null is a varint, unlike a positional one's.
        self._run = [*run, ("x", "") if self._version in field.tagged else ("b", "-1")]
        self.flush()
        self._source.indent -= 1
        self._add("else:")
        self._source.indent += 1
        self._run = run
        self.present(field, value)
        self.flush()
        self._source.indent -= 1

    def present(self, field: Field, value: str) -> None:
        """Write a nullable field that is not null."""
        if field.type != "struct":
            self._content(field, value)
            return
        assert field.struct is not None
        self._run = [*self._run, ("b", "1")]
        variable = self._source.name(snake_case(field.struct.name))
        self._add(f"{variable} = {value}")
        self.struct(field.struct, variable)

    def _content(self, field: Field, value: str) -> None:
        """A string, bytes, records or array that is not null."""
        if field.type == "array":
            self._array(field, value)
            return
        if field.type == "string":
            self._add(f"data = {value}.encode()")
            self._length("data", "h", "string_length", self._is_compact(field))
            self._add(f"{self._append}(data)")
        else:
            self._length(value, "i", "uvarint", self._source.flexible)
            self._add(f"{self._append}({value})")

    def _array(self, field: Field, value: str) -> None:
        if field.element == "int32":
            self.flush()
            helper = self._source.helper("compact_int32_array" if self._source.flexible else "int32_array")
            self._add(f"{self._append}({helper}({value}))")
            return
        self._length(value, "i", "uvarint", self._source.flexible)
        if field.element == "uuid":
            self._add(f"{self._parts()}.extend({value})")
        elif field.element in FIXED:
            code = FIXED[field.element][0]
            self._add(f'{self._append}({self._source.helper("number_bytes")}({value}, "{code}"))')
        elif field.struct is not None:
            variable = self._source.name(snake_case(field.struct.name))
            self._loop(variable, value)
            self.struct(field.struct, variable)
            self.flush()
            self._source.indent -= 1
        else:
            variable = self._source.name("item")
            self._loop(variable, value)
            self._add(f"data = {variable}.encode()")
            self._length("data", "h", "string_length", self._source.flexible)
            self._add(f"{self._append}(data)")
            self._source.indent -= 1

    def _loop(self, variable: str, value: str) -> None:
        self._add(f"for {variable} in {value}:")
        self._source.indent += 1

    # --- runs and lengths ---

    def _is_compact(self, field: Field) -> bool:
        return self._source.flexible and not field.never_compact

    def _length(self, value: str, code: str, slow: str, compact: bool) -> None:
        """End the run with the length of `value`."""
        if not compact:
            self._run.append((code, f"len({value})"))
            self.flush()
            return
        self._add(f"count = len({value}) + 1")
        run = self._run
        long = f"{self._source.helper(slow)}(count)"
        if run:
            long = f"{self._packed()} + {long}"
            self._run = [*run, ("B", "count")]
            short = self._packed()
        else:
            short = f"{self._source.helper('ONE_BYTE')}[count]"
        self._add(f"{self._append}({short} if count < 128 else {long})")
        self._run = []

    def _packed(self) -> str:
        codes = "".join(code for code, _ in self._run)
        values = [value for code, value in self._run if code != "x"]
        if not values:
            return 'b"' + "\\0" * len(codes) + '"'
        return f"pack_{self._source.layout(codes)}({', '.join(values)})"

    def flush(self) -> None:
        if self._run:
            self._add(f"{self._append}({self._packed()})")
            self._run = []
