"""Writes the classes: attributes, constructor, defaults."""

from codegen.model import EMPTY, FIXED, Field, Message, Struct, snake_case


def annotation(field: Field, kind: str) -> str:
    """The attribute's type; `kind` is the message's."""
    return _plain_annotation(field, kind) + (" | None" if field.can_be_null else "")


def _plain_annotation(field: Field, kind: str) -> str:
    if field.type == "array":
        return f"list[{_element_annotation(field)}]"
    if field.zero_copy:
        # A request's bytes are a view of its frame; a response's may be a file's.
        return "memoryview" if kind == "request" and field.type == "records" else "Part"
    if field.type in FIXED:
        return FIXED[field.type][2]
    if field.type == "struct":
        assert field.struct is not None
        return field.struct.name
    return "str" if field.type == "string" else "bytes"


def _element_annotation(field: Field) -> str:
    if field.struct is not None:
        return field.struct.name
    return FIXED[field.element][2] if field.element in FIXED else "str"


def default_name(struct: Struct) -> str:
    """The module's constant for a nested struct's default."""
    return f"DEFAULT_{snake_case(struct.name).upper()}"


def default_expression(field: Field) -> str:
    """A value for an attribute that nothing was given for."""
    if field.default is EMPTY:
        if field.type == "array":
            return "[]"
        assert field.struct is not None
        return default_name(field.struct) if field.struct.immutable else f"{field.struct.name}()"
    if field.type == "uuid":
        return "ZERO_UUID"
    return literal(field.default)


def literal(value: object) -> str:
    """A constant of the schema in Python, strings in double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def is_set(field: Field, value: str) -> str:
    """The test whether `value` differs from the field's default."""
    if field.default is EMPTY:
        if field.type == "struct":
            assert field.struct is not None
            default = default_name(field.struct)
            same = f"({value} is not {default} and {value} != {default})"
            return same if field.struct.immutable else f"{value} != {default}"
        return f"({value} is None or {value})" if field.can_be_null else value
    if field.default is None:
        return f"{value} is not None"
    if field.default is True:
        return f"not {value}"
    if field.default is False:
        return value
    if field.default == b"":
        return f"({value} is None or len({value}))" if field.can_be_null else f"len({value})"
    return f"{value} != {'ZERO_UUID' if field.type == 'uuid' else literal(field.default)}"


def class_lines(message: Message, struct: Struct) -> list[str]:
    """One class, with its default if it is a nested one's."""
    top = struct is message.struct
    lines = [f"class {struct.name}({'Message' if top else 'Struct'}):"]
    names = ", ".join(f'"{field.name}"' for field in struct.fields)
    fields = f"({names}{',' if len(struct.fields) == 1 else ''})"
    lines += [f"    __slots__ = FIELDS = {fields}", ""]
    if top:
        lines += [
            f"    API_KEY = {message.api_key}",
            f"    MIN_VERSION = {message.versions.low}",
            f"    MAX_VERSION = {message.versions.high}",
            f"    FLEXIBLE_FROM = {message.flexible_from}",
            "",
        ]
    lines += _constructor(message, struct)
    return lines


def _constructor(message: Message, struct: Struct) -> list[str]:
    if not struct.fields:
        return ["    def __init__(self) -> None:", "        pass"]
    lines = ["    def __init__(", "        self,"]
    body = []
    for field in struct.fields:
        kind = annotation(field, message.kind)
        default = default_expression(field)
        fresh = default.endswith(("[]", "()"))
        lines.append(f"        {field.name}: {kind} = {'UNSET' if fresh else default},")
        value = f"{default} if {field.name} is UNSET else {field.name}" if fresh else field.name
        body.append(f"        self.{field.name} = {value}")
    return [*lines, "    ) -> None:", *body]
