"""Builds the lines of one generated function."""

from codegen.model import NEVER, Message

# The variable that holds the message itself.
MESSAGE = "message"


class Source:
    """Lines with indentation, and names that are used once."""

    def __init__(self, message: Message, version: int, reserved: set[str]) -> None:
        self.message = message
        self.version = version
        self.flexible = message.flexible_from != NEVER and version >= message.flexible_from
        self.lines: list[str] = []
        self.indent = 1
        # Struct layouts and helpers that the lines refer to.
        self.layouts: set[str] = set()
        self.helpers: set[str] = set()
        self._names = set(reserved)

    def add(self, line: str) -> None:
        self.lines.append("    " * self.indent + line)

    def helper(self, name: str) -> str:
        """The name of a function of `primitives`, which the module then imports."""
        self.helpers.add(name)
        return name

    def layout(self, codes: str) -> str:
        """The suffix of the module's packer and unpacker for these format characters."""
        self.layouts.add(codes)
        return layout_name(codes)

    def name(self, wish: str) -> str:
        """A local variable that nothing else in the function is called.

        Never reused, so that each has one type.
        """
        name, number = wish, 2
        while name in self._names:
            name, number = f"{wish}{number}", number + 1
        self._names.add(name)
        return name


def layout_name(codes: str) -> str:
    """`iq16sB` → `iquB`: format characters as part of a name."""
    return codes.replace("16s", "u").replace("?", "z")
