"""The address of an MQTT broker and what is said to it. Knows no client."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from fer_edge.errors import ConfigError

PORTS = {"mqtt": 1883, "mqtts": 8883}
EXPECTED = "Expected mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC, or mqtts:// for TLS"


@dataclass(frozen=True)
class Broker:
    """Where documents are published.

    Attributes:
        is_tls: Whether the line is encrypted and the broker's certificate checked.
        host: Name or address.
        port: Of the broker.
        topic: What the topics begin with, without slashes at its ends.
        user: None for a broker that asks for none.
        password: Likewise.
    """

    is_tls: bool
    host: str
    port: int
    topic: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address without user and password, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' if self.is_tls else ''}://{host}:{self.port}/{self.topic}"


def parse_broker(url: str) -> Broker:
    """Returns the broker that an address names.

    Percent signs escape what an address cannot hold: `p%40ss` is the password `p@ss`.

    Raises:
        ConfigError: It names none. The message never holds the address: a password may be in it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f"{EXPECTED}; found no host and port (1 to 65535) in it.") from exc
    if parts.scheme not in PORTS:
        raise ConfigError(f"{EXPECTED}; found one that begins in another way.")
    if not host or port == 0:
        raise ConfigError(f"{EXPECTED}; found no host, or port 0.")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if password and not user:
        raise ConfigError(f"{EXPECTED}; found a password without a user.")
    if set(url) & set("?#"):  # they begin a query and a fragment: of a topic that would be lost
        raise ConfigError(f"{EXPECTED}; found a ? or # in it. In a password write %3F and %23.")
    topic = _topic(unquote(parts.path))
    port = port or PORTS[parts.scheme]
    return Broker(parts.scheme == "mqtts", host, port, topic, user, password)


def _topic(path: str) -> str:
    topic = path.strip("/")
    if not topic or set(topic) & set("+#\0") or len(topic.encode("utf-8", "replace")) > 1000:
        raise ConfigError(
            f"{EXPECTED}. A topic has 1 to 1000 bytes, no + and no #: for example "
            "mqtt://broker.local/home/kitchen publishes to home/kitchen/faces and "
            "home/kitchen/status."
        )
    return topic
