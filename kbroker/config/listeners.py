"""The addresses kbroker listens on and the ones it tells clients.

`listeners`, `advertised.listeners`, `listener.security.protocol.map` and the
controller's names. A listener that nothing is advertised for is "auto": each
client is told the address and port by which it reached us.
"""

from __future__ import annotations

from collections.abc import Mapping

from kbroker.config.key import ConfigError

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class Listener:
    """Where to listen: host "" means every interface, port 0 any free port."""

    __slots__ = ("advertised", "host", "name", "port", "protocol")

    def __init__(
        self, name: str, host: str, port: int, protocol: str, advertised: tuple[str, int] | None
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.protocol = protocol
        self.advertised = advertised

    def __repr__(self) -> str:
        return f"{self.name}://{address_text(self.host, self.port)}"


def address_text(host: str, port: int) -> str:
    """host:port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str, key: str) -> tuple[str, int]:
    """`host:port` or `[IPv6]:port`; the host may be empty."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigError(f"{key} holds '{text}': an IPv6 address needs brackets, as in [::1]:9092.")
    if not colon or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65535:
        raise ConfigError(f"{key} holds '{text}', which is not an address of the form host:port.")
    if any(character.isspace() or character in "/@[]" for character in host):
        raise ConfigError(f"{key} holds '{text}', whose host is not one.")
    return host, int(port)


def parse_endpoints(items: list[str], key: str) -> dict[str, tuple[str, int]]:
    """Listener name → host and port, from `NAME://host:port` items."""
    endpoints: dict[str, tuple[str, int]] = {}
    for item in items:
        name, separator, address = item.partition("://")
        if not separator or not name:
            raise ConfigError(f"{key} holds '{item}', which is not of the form NAME://host:port.")
        name = name.upper()
        if name in endpoints:
            raise ConfigError(f"{key} names the listener {name} twice.")
        endpoints[name] = parse_address(address, key)
    return endpoints


def parse_protocol_map(text: str) -> dict[str, str]:
    """Listener name → security protocol."""
    protocols: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, protocol = item.rpartition(":")
        name, protocol = name.strip().upper(), protocol.strip().upper()
        if not name or protocol not in PROTOCOLS:
            raise ConfigError(
                f"listener.security.protocol.map holds '{item}', which is not NAME:PROTOCOL "
                f"with one of {', '.join(PROTOCOLS)}."
            )
        protocols[name] = protocol
    return protocols


def broker_listeners(
    listeners: list[str], advertised: list[str], protocol_map: str, controller_names: list[str]
) -> tuple[Listener, ...]:
    """The listeners clients use; those in `controller_names` are checked and left out."""
    endpoints = parse_endpoints(listeners, "listeners")
    refuse_shared_ports(endpoints)
    advertised_endpoints = _advertised(advertised, endpoints)
    protocols = parse_protocol_map(protocol_map)
    controllers = {name.upper() for name in controller_names}
    result = []
    for name, (host, port) in endpoints.items():
        if name in controllers:
            continue
        protocol = protocols.get(name)
        if protocol is None:
            raise ConfigError(f"listener.security.protocol.map has no security protocol for listener {name}.")
        if protocol != "PLAINTEXT":
            raise ConfigError(
                f"Listener {name} asks for {protocol}, which kbroker does not support yet: only PLAINTEXT."
            )
        result.append(Listener(name, host, port, protocol, advertised_endpoints.get(name)))
    if not result:
        raise ConfigError(
            "listeners names no listener for clients: every one is in controller.listener.names."
        )
    return tuple(result)


def controller_listeners(listeners: list[str], controller_names: list[str]) -> list[str]:
    """The names in `listeners` that belong to the controller."""
    controllers = {name.upper() for name in controller_names}
    return [name for name in parse_endpoints(listeners, "listeners") if name in controllers]


def _advertised(items: list[str], endpoints: Mapping[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    advertised = parse_endpoints(items, "advertised.listeners")
    for name, (host, port) in list(advertised.items()):
        if name not in endpoints:
            raise ConfigError(f"advertised.listeners names {name}, which listeners does not define.")
        if host in ("0.0.0.0", "::"):
            raise ConfigError(
                f"advertised.listeners tells clients to connect to {host}, which is no address of a machine."
            )
        if port == 0:
            raise ConfigError(f"advertised.listeners tells clients to connect to port 0 of {name}.")
        if not host:
            # Kafka would ask the system for its host name; telling each client
            # the address it reached us by is right more often.
            del advertised[name]
    return advertised


def refuse_shared_ports(endpoints: Mapping[str, tuple[str, int]]) -> None:
    """Raise ConfigError if two of these could not both listen."""
    taken: list[tuple[str, str, int]] = []
    for name, (host, port) in endpoints.items():
        for other, other_host, other_port in taken:
            if port == other_port != 0 and (host == other_host or not host or not other_host):
                raise ConfigError(f"Both {other} and {name} are to listen on port {port}.")
        taken.append((name, host, port))
