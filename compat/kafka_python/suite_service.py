"""What the suite's fixtures import from `test.service`, which the sdist leaves out.

A broker that runs already needs nothing of it.
"""


class ExternalService:
    """A broker that somebody else started."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port


class SpawnedService:
    """A broker that the suite would start: never here."""
