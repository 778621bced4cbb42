"""One SSH connection: jump hosts, pinned host keys, signing in. Nothing is retried here."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import paramiko
from django.utils.translation import gettext as _

from jobs.errors import ClusterTrouble, LinkTrouble
from jobs.keys import fingerprint, signing_key

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its words reach people through ours

CONNECT_TIMEOUT = 20.0  # s for the TCP connection and for each step of the greeting
MOST_AGENT_KEYS = 4  # most servers end a connection after six attempts
KEEPALIVE = 30  # s between two signs of life, so that firewalls keep the connection
_WINDOW = 8 * 1024 * 1024
_HOP = re.compile(r"(?:(?P<login>[\w.+-]+)@)?(?P<host>[\w.-]+)(?::(?P<port>\d{1,5}))?$")


class SignInRefused(ClusterTrouble):
    """The cluster doesn't accept the credentials: only a person can help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, needs_person=True)


class UnknownHost(ClusterTrouble):
    """Nobody confirmed this host key, or it changed: nothing is sent there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, needs_person=True)


@dataclass(frozen=True)
class Hop:
    """A machine to sign in on."""

    host: str
    port: int
    login: str

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Secrets:
    """What signs in; never printed.

    Args:
        key: private half in OpenSSH's form, or empty.
        password: or empty.
        one_time: a code that works once, or empty.
        agent: whether the keys of the server's SSH agent may be shown.
    """

    key: str = ""
    password: str = ""
    one_time: str = ""
    agent: bool = False

    def __repr__(self) -> str:
        return "Secrets(…)"


def parse_hops(text: str, login: str) -> tuple[Hop, ...]:
    """Read ``user@host:port, host`` in the order in which they are passed.

    Args:
        text: jump hosts, separated by commas; may be empty.
        login: account where none is written.

    Raises:
        ValueError: with the part that isn't one.
    """
    hops = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _HOP.match(part)
        if match is None or not 0 < int(match["port"] or 22) < 65536:
            raise ValueError(part)
        hops.append(Hop(match["host"], int(match["port"] or 22), match["login"] or login))
    return tuple(hops)


class Link:
    """An open connection to the last of several hops."""

    def __init__(self, chain: Sequence[paramiko.Transport]) -> None:
        self._chain = tuple(chain)

    @property
    def transport(self) -> paramiko.Transport:
        return self._chain[-1]

    @property
    def is_alive(self) -> bool:
        return all(transport.is_active() for transport in self._chain)

    def close(self) -> None:
        for transport in reversed(self._chain):
            transport.close()


def open_link(hops: Sequence[Hop], known: Mapping[str, str], secrets: Secrets) -> Link:
    """Sign in on all hops, one through the other.

    Args:
        hops: the last one is the cluster.
        known: ``type base64`` of the confirmed host key by ``host:port``.
        secrets: for all hops.

    Raises:
        UnknownHost: a host key isn't the confirmed one.
        SignInRefused: a hop doesn't accept the secrets.
        ClusterTrouble: a hop can't be reached.
    """
    with ExitStack() as stack:
        chain: list[paramiko.Transport] = []
        for hop in hops:
            transport = _greet(hop, chain[-1] if chain else None, known.get(hop.place))
            stack.callback(transport.close)
            chain.append(transport)
            _check_key(hop, transport, known)
            with _words(hop):
                _sign_in(hop, transport, secrets)
            transport.set_keepalive(KEEPALIVE)
        stack.pop_all()
    return Link(chain)


def read_host_keys(
    hops: Sequence[Hop], known: Mapping[str, str], secrets: Callable[[], Secrets]
) -> dict[str, str]:
    """Return the host keys that the hops show now; nothing is sent to one that isn't confirmed.

    A hop behind one that nobody confirmed yet can't be asked: it is left out.

    Raises:
        ClusterTrouble: a hop can't be reached, or a jump host refuses the secrets.
    """
    shown: dict[str, str] = {}
    with ExitStack() as stack:
        through: paramiko.Transport | None = None
        for hop in hops:
            transport = _greet(hop, through, None)
            stack.callback(transport.close)
            shown[hop.place] = _key_line(transport)
            if hop is hops[-1] or shown[hop.place] != known.get(hop.place):
                break
            with _words(hop):
                _sign_in(hop, transport, secrets())
            through = transport
    return shown


def _greet(hop: Hop, through: paramiko.Transport | None, known: str | None) -> paramiko.Transport:
    with _words(hop):
        if through is None:
            stream: Any = socket.create_connection((hop.host, hop.port), CONNECT_TIMEOUT)
            # Small questions and answers: waiting to fill a packet costs 0.2 s each.
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            stream = through.open_channel(
                "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=CONNECT_TIMEOUT
            )
        transport = paramiko.Transport(stream, default_window_size=_WINDOW)
        try:
            transport.banner_timeout = transport.auth_timeout = CONNECT_TIMEOUT
            if known:
                _ask_for(transport, known.split()[0])
            transport.start_client(timeout=CONNECT_TIMEOUT)
        except BaseException:
            transport.close()
            raise
    return transport


def _ask_for(transport: paramiko.Transport, kind: str) -> None:
    """Prefer the kind of key that was confirmed; a server has several."""
    options = transport.get_security_options()
    wanted = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
    offered = tuple(options.key_types)
    first = tuple(name for name in wanted if name in offered)
    options.key_types = (*first, *(name for name in offered if name not in first))


def _key_line(transport: paramiko.Transport) -> str:
    key = transport.get_remote_server_key()
    return f"{key.get_name()} {key.get_base64()}"


def _check_key(hop: Hop, transport: paramiko.Transport, known: Mapping[str, str]) -> None:
    shown, confirmed = _key_line(transport), known.get(hop.place)
    if shown == confirmed:
        return
    words = {"host": hop.place, "shown": fingerprint(shown)}
    if confirmed is None:
        raise UnknownHost(
            _("The host key of %(host)s (%(shown)s) is not confirmed yet: confirm it.") % words
        )
    raise UnknownHost(
        _(
            "%(host)s shows another host key than the confirmed one: %(shown)s instead of "
            "%(confirmed)s. Somebody may be listening; ask the operators of the cluster before "
            "you confirm the new one."
        )
        % {**words, "confirmed": fingerprint(confirmed)}
    )


def _sign_in(hop: Hop, transport: paramiko.Transport, secrets: Secrets) -> None:
    """Show the key, then answer what the server asks beyond it.

    Raises:
        SignInRefused: the server wants something else.
    """
    left: Sequence[str] = ["password", "keyboard-interactive"]
    try:
        if secrets.key:
            left = transport.auth_publickey(hop.login, signing_key(secrets.key))
        if secrets.agent:
            left = _ask_agent(hop, transport) or left
        if not transport.is_authenticated() and "keyboard-interactive" in left:
            left = _interactive(hop, transport, secrets, left)
        if not transport.is_authenticated() and secrets.password and "password" in left:
            transport.auth_password(hop.login, secrets.password, fallback=False)
    except paramiko.AuthenticationException as error:
        raise _refusal(hop, secrets, getattr(error, "allowed_types", [])) from None
    if not transport.is_authenticated():
        raise _refusal(hop, secrets, left)


def _ask_agent(hop: Hop, transport: paramiko.Transport) -> Sequence[str]:
    """Show the agent's keys one after another; few, because servers count them as attempts."""
    agent = paramiko.Agent()
    left: Sequence[str] = []
    try:
        for key in agent.get_keys()[:MOST_AGENT_KEYS]:
            try:
                left = transport.auth_publickey(hop.login, key)
            except paramiko.AuthenticationException:
                continue
            break
    finally:
        agent.close()
    return left


def _interactive(
    hop: Hop, transport: paramiko.Transport, secrets: Secrets, left: Sequence[str]
) -> Sequence[str]:
    answers = [secrets.password] if secrets.password else []
    answers += [secrets.one_time] if secrets.one_time else []
    if not answers:
        return left

    def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        return [answers.pop(0) if answers else "" for _prompt in prompts]

    try:
        after: Sequence[str] = transport.auth_interactive(hop.login, answer)
    except paramiko.BadAuthenticationType:
        return [name for name in left if name != "keyboard-interactive"]
    return after


def _refusal(hop: Hop, secrets: Secrets, left: Sequence[str]) -> SignInRefused:
    words = {"login": hop.login, "host": hop.host}
    if secrets.agent and not secrets.one_time:
        return SignInRefused(
            _("%(host)s takes no key of the SSH agent for %(login)s: ask the portal's operator.")
            % words
        )
    if "keyboard-interactive" in left and not secrets.one_time:
        return SignInRefused(
            _("%(host)s asks %(login)s for a password or a one-time code: reconnect with it.")
            % words
        )
    return SignInRefused(
        _("%(host)s refuses %(login)s: install the public key there, or enter other credentials.")
        % words
    )


@contextmanager
def _words(hop: Hop) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, paramiko.SSHException) as error:
        detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise LinkTrouble(
            _("%(place)s can't be reached: %(detail)s") % {"place": hop.place, "detail": detail}
        ) from error
