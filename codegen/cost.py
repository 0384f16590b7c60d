"""How little a value takes on the wire, and how much in memory.

The readers refuse a count when the elements can't be there (minimal size), or
when crafted ones would need too much memory (cost). Costs are CPython's on a
64-bit machine, of the objects whose number does not depend on their content:
an int or string inside a struct has bytes of its own to pay for it, within a
small factor.
"""

from codegen.model import EMPTY, FIXED, NEVER, Field, Message, Struct

LIST_BYTES = 64
VIEW_BYTES = 192
_OBJECT_BYTES = 32
_SLOT_BYTES = 8
# A list's slot, with what it allocates ahead.
_ITEM_BYTES = 9
_UUID_BYTES = 56
_NUMBER_BYTES = 32
_STRING_BYTES = 56


def minimal_size(message: Message, array: Field, version: int) -> int:
    """The fewest bytes one element of `array` can take."""
    size = _element_size(message, array.element, array.struct, version)
    assert size > 0
    return size


def _element_size(message: Message, kind: str, struct: Struct | None, version: int) -> int:
    flexible = message.flexible_from != NEVER and version >= message.flexible_from
    if kind in FIXED:
        return FIXED[kind][1]
    if kind == "string":
        return 1 if flexible else 2
    if struct is None:
        return 1 if flexible else 4
    return _struct_size(message, struct, version) + (1 if flexible else 0)


def _struct_size(message: Message, struct: Struct, version: int) -> int:
    size = 0
    for field in struct.positional(version):
        if field.type == "struct" and version in field.nullable:
            size += 1
        else:
            nested = field.struct if field.type == "struct" else None
            size += _element_size(message, field.type, nested, version)
    return size


def element_cost(message: Message, array: Field, version: int) -> int:
    """What one element of `array` takes, however few bytes it came in."""
    if array.struct is not None:
        return _struct_cost(array.struct, version) + _ITEM_BYTES
    if array.element == "string":
        return _STRING_BYTES + _ITEM_BYTES
    return (_UUID_BYTES if array.element == "uuid" else _NUMBER_BYTES) + 2 * _ITEM_BYTES


def _struct_cost(struct: Struct, version: int) -> int:
    cost = _OBJECT_BYTES + _SLOT_BYTES * len(struct.fields)
    for field in struct.fields:
        positional = version in field.versions and version not in field.tagged
        if field.type == "uuid" and positional:
            cost += _UUID_BYTES
        elif field.type == "array" and not positional and field.default is EMPTY:
            cost += LIST_BYTES
        elif field.type == "struct" and field.struct is not None and not field.struct.immutable:
            # A fresh default, or one nested struct of the element's own.
            cost += _struct_cost(field.struct, version)
        elif field.type == "struct" and field.struct is not None and positional:
            cost += _struct_cost(field.struct, version)
    return -(-cost // 16) * 16
