"""TLS on data connections: who speaks it, and who is turned away (docs/data-tls.md)."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from duplicator.data_tls import CertificateError, DataTls, TlsPolicy
from duplicator.mover import SocketMovers
from duplicator.network import NetworkSettings
from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress
from tests.duplicator.datapath import DEADLINE, no_leaks, reset, stream
from tests.duplicator.listening import Listener, dial
from tests.duplicator.tls_ends import (
    CUT_OFF,
    FINGERPRINT,
    OFF,
    OFFER,
    REQUIRE,
    TOKEN,
    all_of,
    assert_cut_off,
    calling,
    invited_client,
    strange_client,
    told,
)
from tests.peers.requirements import require_peer


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    for settings in (OFFER, REQUIRE):
        assert settings.tls
        assert settings.tls.identity
    with no_leaks():
        yield


# -- negotiation -----------------------------------------------------------------------------------------------------


def test_what_a_listener_offers() -> None:
    tokens = set[str]()
    for settings, kinds in ((OFF, [False]), (OFFER, [False, True]), (REQUIRE, [True]), (OFFER, [False, True])):
        with Listener(settings) as near:
            assert [bool(address.environment) for address in near.addresses] == kinds
            assert len({address.port for address in near.addresses}) == len(kinds)
            for address in near.addresses[kinds.count(False) :]:
                assert [name for name, _ in address.environment] == [FINGERPRINT, TOKEN]
                assert [len(value) for _, value in address.environment] == [64, 64]
                tokens.add(told(address)[TOKEN])
    assert len(tokens) == 3


POLICIES = (
    # connecting, listening, index of the endpoint that is taken, or the text of the refusal
    (OFF, OFF, 0),
    (OFF, OFFER, 0),
    (OFF, REQUIRE, "endpoints for TLS only; the TLS policy here is 'off'"),
    (OFFER, OFF, 0),
    (OFFER, OFFER, 1),
    (OFFER, REQUIRE, 0),
    (REQUIRE, OFF, "no endpoint for TLS; the TLS policy here is 'require'"),
    (REQUIRE, OFFER, 1),
    (REQUIRE, REQUIRE, 0),
)


@pytest.mark.parametrize(("here", "there", "outcome"), POLICIES)
def test_who_speaks_tls_with_whom(here: NetworkSettings, there: NetworkSettings, outcome: int | str) -> None:
    content = stream(700_000)
    with Listener(there) as far, calling(here) as near:
        if isinstance(outcome, str):
            with pytest.raises(ReplyError) as refused:
                near.connect(far.addresses)
            assert refused.value.error == Error.CONNECT
            assert outcome in refused.value.text
            return
        assert near.connect(far.addresses) == far.addresses[outcome]
        assert isinstance(far.done(), TcpAddress)
        sending = threading.Thread(target=lambda: (near.send(memoryview(content)), near.close()))
        sending.start()
        assert all_of(far) == content
        sending.join(DEADLINE)


def test_an_invitation_that_cannot_be_understood_is_not_taken_for_a_plain_endpoint() -> None:
    good = {FINGERPRINT: "ab" * 32, TOKEN: "cd" * 32}
    for wrong in ({TOKEN: None}, {FINGERPRINT: None}, {TOKEN: "ab"}, {FINGERPRINT: "zz" * 32}, {TOKEN: "cd" * 33}):
        environment = tuple((name, value) for name, value in (good | wrong).items() if value is not None)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = TcpAddress(*listener.getsockname(), environment)
            for settings in (OFF, OFFER, REQUIRE):
                with calling(settings) as near, pytest.raises(ReplyError) as refused:
                    near.connect([address])
                assert refused.value.error == Error.CONNECT
            listener.settimeout(0)
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_other_names_in_the_environment_mean_nothing() -> None:
    with Listener(OFF) as far, calling(OFFER) as near:
        (address,) = far.addresses
        near.connect([TcpAddress(address.host, address.port, (("MTU", "9000"), ("NDMPDUP_SPEED", "fast")))])
        assert isinstance(far.done(), TcpAddress)


# -- who is turned away ----------------------------------------------------------------------------------------------


def _no_token(address: TcpAddress) -> None:
    with strange_client(address) as client, pytest.raises(ssl.SSLError, match=CUT_OFF):
        client.unwrap()


def _another_token(address: TcpAddress) -> None:
    with strange_client(address) as client:
        client.sendall(bytes(32))
        assert_cut_off(lambda: client.recv(1))


def _half_a_token(address: TcpAddress) -> None:
    with strange_client(address) as client:
        client.sendall(bytes.fromhex(told(address)[TOKEN])[:31])


def _no_tls(address: TcpAddress) -> None:
    with dial(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionResetError):
            while client.recv(100):
                pass


def _reset(address: TcpAddress) -> None:
    reset(dial(address))


def _older_tls(address: TcpAddress) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with dial(address) as client, pytest.raises(ssl.SSLError, match="version"):
        context.wrap_socket(client)


STRANGERS = (_no_token, _another_token, _half_a_token, _no_tls, _reset, _older_tls)


@pytest.mark.parametrize("come", STRANGERS)
def test_a_stranger_does_no_harm(come: Callable[[TcpAddress], None], caplog: pytest.LogCaptureFixture) -> None:
    with Listener(REQUIRE) as near:
        for _ in range(3):
            come(near.addresses[0])
        with invited_client(near.addresses[0]) as far:
            assert near.done() == TcpAddress(*far.getsockname())
            far.sendall(b"abc")
            assert near.receive(memoryview(bytearray(3))) == 3
    assert come is _reset or "TLS data connection from 127.0.0.1 refused" in caplog.text


def test_silent_guests_hold_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    for deadline, count, reason in ((0.1, 3, "no token in time"), (60, 20, "too many others")):
        settings = NetworkSettings(handshake_deadline=deadline, tls=REQUIRE.tls)
        with Listener(settings) as near, ExitStack() as stack:
            silent = [stack.enter_context(dial(near.addresses[0])) for _ in range(count)]
            assert silent[0].recv(1) == b""
            assert near.outcome is None
            stack.enter_context(dial(near.addresses[0]))
            far = stack.enter_context(invited_client(near.addresses[0]))
            assert near.done() == TcpAddress(*far.getsockname())
        assert reason in caplog.text


def test_another_certificate_is_refused_and_gets_no_token() -> None:
    with Listener(REQUIRE) as far, calling() as near:
        (address,) = far.addresses
        environment = told(address) | {FINGERPRINT: "00" * 32}
        with pytest.raises(ReplyError) as refused:
            near.connect([TcpAddress(address.host, address.port, tuple(environment.items()))])
        assert "another certificate" in refused.value.text
        assert far.outcome is None


def test_a_listener_that_says_nothing_costs_the_handshake_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Listener(REQUIRE) as far:
        environment = far.addresses[0].environment
        with calling(NetworkSettings(handshake_deadline=0.2, tls=REQUIRE.tls)) as near:
            assert near.connect([TcpAddress(*listener.getsockname(), environment), *far.addresses]) == far.addresses[0]


# -- programs of others ----------------------------------------------------------------------------------------------


def openssl(*arguments: str, feed: bytes = b"") -> bytes:
    """What the program writes."""
    command = [require_peer("openssl"), *arguments]
    return subprocess.run(command, input=feed, capture_output=True, check=True, timeout=DEADLINE).stdout


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key, made by openssl."""
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=host", "-days", "1", "-text",
            "-out", str(paths[0]), "-keyout", str(paths[1]))  # fmt: skip
    return paths


def fingerprint_of(path: Path) -> str:
    """SHA-256, as openssl has it."""
    shown = openssl("x509", "-in", str(path), "-noout", "-fingerprint", "-sha256").decode()
    return shown.strip().partition("=")[2].replace(":", "").lower()


def test_openssl_as_the_client(certificate: tuple[Path, Path]) -> None:
    content = stream(300_000)
    tls = DataTls(TlsPolicy.REQUIRE, *certificate)
    with Listener(NetworkSettings(tls=tls)) as near:
        (address,) = near.addresses
        assert told(address)[FINGERPRINT] == fingerprint_of(certificate[0])
        feed = bytes.fromhex(told(address)[TOKEN]) + content
        client = threading.Thread(
            target=lambda: openssl(
                "s_client", "-connect", f"{address.host}:{address.port}", "-quiet", "-no_ign_eof", "-nocommands",
                "-verify_return_error", "-CAfile", str(certificate[0]), feed=feed,
            )
        )  # fmt: skip
        client.start()
        assert isinstance(near.done(), TcpAddress)
        assert all_of(near) == content
        near.close()
        client.join(DEADLINE)


def test_openssl_as_the_server(certificate: tuple[Path, Path]) -> None:
    content = stream(300_000)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [require_peer("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", "-naccept", "1",
               "-tls1_3", "-num_tickets", "0",
               "-cert", str(certificate[0]), "-key", str(certificate[1])]  # fmt: skip
    environment = ((FINGERPRINT, fingerprint_of(certificate[0])), (TOKEN, "5a" * 32))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        end = time.monotonic() + DEADLINE
        while True:
            with calling() as near:
                try:
                    near.connect([TcpAddress("127.0.0.1", port, environment)])
                except ReplyError:
                    assert time.monotonic() < end
                    continue
                near.send(memoryview(content))
                near.close()
                break
        assert server.stdout
        assert server.stdout.read(32 + len(content)) == bytes.fromhex("5a" * 32) + content
        assert server.communicate(timeout=DEADLINE)[0] == b""


def test_certificates_that_cannot_be_used_are_refused_at_the_start(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    other = tmp_path / "other.pem"
    openssl("genrsa", "-out", str(other), "2048")
    locked = tmp_path / "locked.pem"
    openssl("rsa", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(locked))
    for files in ((tmp_path / "none.pem", key), (key, key), (cert, other), (cert, locked), (cert, None)):
        with pytest.raises(CertificateError) as refused:
            SocketMovers(NetworkSettings(tls=DataTls(TlsPolicy.OFFER, *files)))
        assert any(str(path) in str(refused.value) for path in files)
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    SocketMovers(NetworkSettings(tls=DataTls(TlsPolicy.OFFER, both)))
