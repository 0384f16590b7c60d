"""What a group remembers of the connection behind a member."""


class Client:
    """Who sent a request, and in which version."""

    __slots__ = ("api_version", "client_id", "host")

    def __init__(self, client_id: str, host: str, api_version: int) -> None:
        self.client_id = client_id
        self.host = host
        self.api_version = api_version
