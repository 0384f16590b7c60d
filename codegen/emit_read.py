"""Writes the straight-line readers.

One function reads a whole message in one layout: nested structs are read in
place. Fixed-size fields that follow each other, with the length that comes
behind them, are one unpack. What a crafted message could inflate is checked
first, see `kbroker.protocol.primitives`.
"""

import re
from struct import calcsize

from codegen.cost import LIST_BYTES, VIEW_BYTES, element_cost, minimal_size
from codegen.emit_types import default_expression
from codegen.model import FIXED, Field, Message, Struct, snake_case
from codegen.source import MESSAGE, Source

_RESERVED = {MESSAGE, "buffer", "position", "end", "budget", "count", "stop", "tags"}


def read_function(message: Message, version: int) -> Source:
    """The body of the reader; the same text for versions of the same layout."""
    source = Source(message, version, _RESERVED)
    _Reader(source).message(message)
    return source


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._add = source.add
        self._version = source.version
        # The run of fixed-size values not yet emitted.
        self._codes = ""
        self._targets: list[str] = []

    def message(self, message: Message) -> None:
        self._struct(message.struct, MESSAGE)
        self._flush()
        self._add(f"return {MESSAGE}, position")
        text = "\n".join(self._source.lines)
        if re.search(r"\bbudget\b", text):
            factor, base = self._source.helper("BUDGET_FACTOR"), self._source.helper("BUDGET_BASE")
            self._source.lines.insert(0, f"    budget = {factor} * (end - position) + {base}")
        if re.search(r"\bend\b", text):
            self._source.lines.insert(0, "    end = len(buffer)")

    # --- structs ---

    def _struct(self, struct: Struct, variable: str) -> None:
        """Read a struct into a new variable; may leave a run open."""
        self._add(f"{variable} = new({struct.name})")
        for field in struct.absent(self._version):
            self._assign_default(field, variable)
        for field in struct.tagged(self._version):
            self._assign_default(field, variable)
        for field in struct.positional(self._version):
            self._field(field, variable)
        if self._source.flexible:
            self._tagged_section(struct, variable)

    def _assign_default(self, field: Field, variable: str) -> None:
        self._add(f"{variable}.{field.name} = {default_expression(field)}")

    def _tagged_section(self, struct: Struct, variable: str) -> None:
        self._flush_with("B", "tags")
        known = struct.tagged(self._version)
        self._add("if tags:")
        self._source.indent += 1
        if not known:
            skip = self._source.helper("skip_tagged_fields")
            self._add(f"position, budget = {skip}(buffer, position, end, tags, budget)")
        else:
            pay = self._source.helper("pay_for_tagged_fields")
            self._add(f"budget = {pay}(tags, end - position, budget)")
            self._add("for _ in range(tags):")
            self._source.indent += 1
            self._known_tags(known, variable)
            self._source.indent -= 1
        self._source.indent -= 1

    def _known_tags(self, known: list[Field], variable: str) -> None:
        # A nested struct has a tagged section of its own: its end needs its own name.
        stop = self._source.name("tag_end")
        tag = self._source.name("tag")
        self._add(f"{tag}, position, {stop} = {self._source.helper('read_tag')}(buffer, position, end)")
        for number, field in enumerate(known):
            self._add(f"{'elif' if number else 'if'} {tag} == {field.tag}:")
            self._source.indent += 1
            self._field(field, variable)
            self._flush()
            self._source.indent -= 1
        self._add("else:")
        self._add(f"    position = {stop}")
        self._add(f"if position != {stop}:")
        self._fail("a tagged field does not fill its size")

    # --- fields ---

    def _field(self, field: Field, variable: str) -> None:
        target = f"{variable}.{field.name}"
        if field.type in FIXED:
            self._codes += FIXED[field.type][0]
            self._targets.append(target)
        elif field.type == "string":
            self._string(field, target)
        elif field.type in ("bytes", "records"):
            self._bytes(field, target)
        elif field.type == "array":
            self._array(field, target)
        else:
            self._nested(field, target)

    def _string(self, field: Field, target: str) -> None:
        compact = self._source.flexible and not field.never_compact
        if compact:
            self._compact_length("count", "read_string_length")
        else:
            self._flush_with("h", "count")
        self._sized(field, target, compact, f'{target} = str(buffer[position:stop], "utf-8")')

    def _bytes(self, field: Field, target: str) -> None:
        self._length("count")
        value = "buffer[position:stop]" if field.zero_copy else "buffer[position:stop].tobytes()"
        self._sized(field, target, self._source.flexible, f"{target} = {value}")

    def _sized(self, field: Field, target: str, compact: bool, assignment: str) -> None:
        """Check the length in `count`, then take that many bytes."""
        nullable = self._version in field.nullable
        if nullable:
            self._add("if count == 0:" if compact else "if count < 0:")
            self._add(f"    {target} = None")
            self._add("else:")
            self._source.indent += 1
        self._add("stop = position + count - 1" if compact else "stop = position + count")
        self._add("if stop > end:" if nullable else "if not position <= stop <= end:")
        self._fail(f"bad length of {self._label(target)}")
        if field.zero_copy:
            # Of a view that holds nothing there is only one.
            self._add("if stop == position:")
            self._add(f"    {target} = {self._source.helper('EMPTY_VIEW')}")
            self._add("else:")
            self._source.indent += 1
            self._add(f"budget -= {VIEW_BYTES}")
            self._add("if budget < 0:")
            self._add(f"    raise {self._source.helper('over_budget')}()")
        self._add(assignment)
        self._add("position = stop")
        self._source.indent -= nullable + field.zero_copy

    def _nested(self, field: Field, target: str) -> None:
        assert field.struct is not None
        variable = self._source.name(snake_case(field.struct.name))
        if self._version not in field.nullable:
            self._struct(field.struct, variable)
            self._add(f"{target} = {variable}")
            return
        if self._version in field.tagged:
            # A tagged struct's null is a varint, unlike a positional one's.
            self._compact_length("count", "read_uvarint")
            self._add("if count == 0:")
        else:
            self._flush_with("b", "count")
            self._add("if count < 0:")
        self._add(f"    {target} = None")
        self._add("else:")
        self._source.indent += 1
        self._struct(field.struct, variable)
        self._flush()
        self._add(f"{target} = {variable}")
        self._source.indent -= 1

    # --- arrays ---

    def _array(self, field: Field, target: str) -> None:
        self._length("count")
        compact = self._source.flexible
        if self._version in field.nullable:
            self._add("if count == 0:" if compact else "if count < 0:")
            self._add(f"    {target} = None")
            self._add("else:")
            self._source.indent += 1
            self._elements(field, target, compact)
            self._source.indent -= 1
        else:
            self._elements(field, target, compact)

    def _elements(self, field: Field, target: str, compact: bool) -> None:
        if compact:
            self._add("count -= 1")
        size = minimal_size(self._source.message, field, self._version)
        cost = element_cost(self._source.message, field, self._version)
        at_least = f"{size} * count" if size > 1 else "count"
        # A nullable array's negative count is null, and already dealt with.
        self._add(
            f"if {at_least} > end - position:"
            if self._version in field.nullable
            else f"if not 0 <= {at_least} <= end - position:"
        )
        self._fail(f"bad length of {self._label(target)}")
        self._add(f"budget -= {cost} * count + {LIST_BYTES}")
        self._add("if budget < 0:")
        self._add(f"    raise {self._source.helper('over_budget')}()")
        if field.element == "uuid":
            self._add(f"{target} = {self._source.helper('read_uuids')}(buffer, position, count)")
            self._add("position += 16 * count")
        elif field.element == "int32":
            self._add(f"{target} = {self._source.helper('read_int32s')}(buffer, position, count)")
            self._add("position += 4 * count")
        elif field.element in FIXED:
            code, width, _ = FIXED[field.element]
            helper = self._source.helper("read_numbers")
            self._add(f'{target} = {helper}(buffer, position, count, "{code}")')
            self._add(f"position += {width} * count" if width > 1 else "position += count")
        else:
            self._loop(field, target)

    def _loop(self, field: Field, target: str) -> None:
        items = self._source.name(field.name)
        kind = field.struct.name if field.struct else "str"
        self._add(f"{items}: list[{kind}] = []")
        self._add("for _ in range(count):")
        self._source.indent += 1
        if field.struct:
            variable = self._source.name(snake_case(field.struct.name))
            self._struct(field.struct, variable)
            self._flush()
            self._add(f"{items}.append({variable})")
        else:
            assert field.element == "string"
            self._string_element(items)
        self._source.indent -= 1
        self._add(f"{target} = {items}")

    def _string_element(self, items: str) -> None:
        compact = self._source.flexible
        if compact:
            self._compact_length("count", "read_string_length")
        else:
            self._flush_with("h", "count")
        self._add("stop = position + count - 1" if compact else "stop = position + count")
        self._add("if not position <= stop <= end:")
        self._fail(f"bad length in {items}")
        self._add(f'{items}.append(str(buffer[position:stop], "utf-8"))')
        self._add("position = stop")

    # --- runs and lengths ---

    def _length(self, target: str) -> None:
        """The length or count of bytes, records or an array."""
        if self._source.flexible:
            self._compact_length(target, "read_uvarint")
        else:
            self._flush_with("i", target)

    def _compact_length(self, target: str, slow: str) -> None:
        self._flush_with("B", target)
        self._add(f"if {target} > 127:")
        self._add(f"    {target}, position = {self._source.helper(slow)}(buffer, position - 1)")

    def _flush_with(self, code: str, target: str) -> None:
        """End the run with one more value."""
        if code == "B" and not self._codes:
            self._add(f"{target} = buffer[position]")
            self._add("position += 1")
            return
        self._codes += code
        self._targets.append(target)
        self._flush()

    def _flush(self) -> None:
        if not self._codes:
            return
        size = calcsize(f">{self._codes}")
        targets = ", ".join(self._targets)
        if len(self._targets) == 1:
            targets = f"({targets},)"
        self._add(f"{targets} = unpack_{self._source.layout(self._codes)}(buffer, position)")
        self._add(f"position += {size}")
        self._codes = ""
        self._targets = []

    def _fail(self, reason: str) -> None:
        self._add(f'    raise {self._source.helper("DecodeError")}("{reason}")')

    def _label(self, target: str) -> str:
        return target.replace(f"{MESSAGE}.", f"{self._source.message.name}.")
