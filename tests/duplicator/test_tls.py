"""TLS contexts from files: whom they trust, which files are refused, and what failures are called."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from duplicator.credentials import CredentialError
from duplicator.endpoints import is_secure, secure_endpoints, security_of
from duplicator.tls import ClientTls, ServerTls
from ndmp.aio.client import connect
from ndmp.errors import ConnectionLost, TlsError
from ndmp.types import LocalAddress, Pval, TcpAddresses, TcpEndpoint
from tests.duplicator.certificates import Authority, Certificate, self_signed
from tests.peers.requirements import require_peer

DEADLINE = 10.0
GREETING = bytes.fromhex(
    "80000024 00000001 00000000 00000000 00000502 00000000 00000000 00000000 00000004 00000000".replace(" ", "")
)
"""NOTIFY_CONNECTION_STATUS: connected, version 4, no text (draft 4.1.2)."""


@asynccontextmanager
async def greeter(tls: ssl.SSLContext | None, words: bytes = GREETING) -> AsyncIterator[int]:
    """Something that says these words to whoever comes; its port."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        with suppress(OSError):
            await reader.read(1)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def greeted(host: str, port: int, tls: ClientTls | None) -> bool:
    """Whether a connection that is greeted is secure."""
    async with connect(host, port, tls=tls.context() if tls else None, deadline=DEADLINE) as client:
        return client.is_secure


def test_whom_a_client_trusts(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    issued = ours.issue("host", names="IP:127.0.0.1,DNS:localhost")
    elsewhere = ours.issue("elsewhere", names="DNS:tape.example,IP:192.0.2.1")
    alone = self_signed(tmp_path, "alone")
    distrusted = "nobody we trust vouches"
    cases = [
        (issued, "127.0.0.1", ours.path, None),
        (issued, "localhost", ours.path, None),
        (issued, "127.0.0.1", issued.path, None),
        (alone, "127.0.0.1", alone.path, None),
        (issued, "127.0.0.1", other.path, distrusted),
        (issued, "127.0.0.1", None, distrusted),
        (alone, "127.0.0.1", ours.path, distrusted),
        (elsewhere, "127.0.0.1", ours.path, "another name than 127.0.0.1"),
        (elsewhere, "localhost", ours.path, "another name than localhost"),
        (alone, "localhost", alone.path, "another name than localhost"),
    ]

    async def story() -> None:
        for shown, host, ca, failure in cases:
            async with greeter(ServerTls(shown.path, shown.key).context()) as port:
                if failure is None:
                    assert await greeted(host, port, ClientTls(ca))
                else:
                    with pytest.raises(TlsError, match=failure):
                        await greeted(host, port, ClientTls(ca))

    asyncio.run(story())


def test_peers_that_speak_otherwise(tmp_path: Path) -> None:
    alone = self_signed(tmp_path, "alone")
    trusting = ClientTls(alone.path)

    async def story() -> None:
        for words in (GREETING, b"220 mail.example ready\r\n", b"HTTP/1.0 400 Bad Request\r\n\r\n"):
            async with greeter(None, words) as port:
                with pytest.raises(TlsError, match="the host answers without TLS"):
                    await greeted("127.0.0.1", port, trusting)
        async with greeter(None) as port:
            assert not await greeted("127.0.0.1", port, None)
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            pytest.raises(ConnectionLost, match=r"does not greet within 0.2 s; it may expect TLS"),
        ):
            async with connect("127.0.0.1", silent.getsockname()[1], deadline=0.2):
                pass
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        old.load_cert_chain(alone.path, alone.key)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        async with greeter(old) as port:
            assert await greeted("127.0.0.1", port, trusting)

    asyncio.run(story())


def test_client_certificates(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    host, client, stranger = ours.issue("host"), ours.issue("client"), other.issue("stranger")
    together = tmp_path / "together.pem"
    together.write_bytes(client.key.read_bytes() + client.path.read_bytes())
    together.chmod(0o600)

    async def story() -> None:
        async with greeter(ServerTls(host.path, host.key, ours.path).context()) as port:
            for shown in (ClientTls(ours.path, client.path, client.key), ClientTls(ours.path, together)):
                assert await greeted("127.0.0.1", port, shown)
            for shown in (ClientTls(ours.path), ClientTls(ours.path, stranger.path, stranger.key)):
                with pytest.raises(TlsError, match="the host hangs up; it may demand another client certificate"):
                    await greeted("127.0.0.1", port, shown)
        # asyncio tells nobody why it hangs up; OpenSSL does.
        for version in ("-tls1_2", "-tls1_3"):
            with s_server(host, "-Verify", "1", "-verify_return_error", "-CAfile", str(ours.path), version) as port:
                with pytest.raises(TlsError, match="demands a client certificate"):
                    await greeted("127.0.0.1", port, ClientTls(ours.path))
                with pytest.raises(TlsError, match="refuses our certificate: it does not trust"):
                    await greeted("127.0.0.1", port, ClientTls(ours.path, stranger.path, stranger.key))

    asyncio.run(story())


@contextmanager
def s_server(shown: Certificate, *options: str) -> Iterator[int]:
    """OpenSSL's own server; its port."""
    identity = ["-cert", str(shown.path), "-key", str(shown.key)]
    words = [require_peer("openssl"), "s_server", "-accept", "127.0.0.1:0", *identity, *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if line.startswith("ACCEPT"))
            yield int(line.rpartition(":")[2])
        finally:
            process.kill()


def test_a_renewed_certificate_is_shown(tmp_path: Path) -> None:
    first, second = Authority(tmp_path), Authority(tmp_path, "second")
    shown = first.issue("host")
    files = ServerTls(shown.path, shown.key)
    context = files.context()

    async def story() -> None:
        async with greeter(context) as port:
            assert await greeted("127.0.0.1", port, ClientTls(first.path))
            assert second.issue("host") == shown  # in its place
            files.renew(context)
            assert await greeted("127.0.0.1", port, ClientTls(second.path))

    asyncio.run(story())


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    alone = self_signed(tmp_path, "alone")
    for context in (ClientTls(alone.path).context(), ServerTls(alone.path, alone.key).context()):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert ClientTls().context().verify_mode == ssl.CERT_REQUIRED
    assert ClientTls().context().check_hostname


def test_files_that_are_refused(tmp_path: Path) -> None:
    good, other = self_signed(tmp_path, "good"), self_signed(tmp_path, "other")
    readable = tmp_path / "readable.key"
    readable.write_bytes(good.key.read_bytes())
    readable.chmod(0o640)
    encrypted = tmp_path / "encrypted.key"
    words = ["pkey", "-in", str(good.key), "-aes256", "-passout", "pass:s3cret", "-out", str(encrypted)]
    subprocess.run([require_peer("openssl"), *words], check=True, timeout=30)
    encrypted.chmod(0o600)
    nonsense, absent = tmp_path / "nonsense", tmp_path / "absent"
    nonsense.write_text("no PEM")
    nonsense.chmod(0o600)
    cases = [
        (good.path, readable, "readable.key: others have access .* chmod 600"),
        (good.path, None, "good.pem: others have access"),
        (good.path, other.key, "the key is not that of the certificate"),
        (good.path, encrypted, "the key is encrypted"),
        (good.path, nonsense, "no certificate in PEM form with its key"),
        (nonsense, good.key, "no certificate in PEM form with its key"),
        (good.path, absent, "absent: No such file"),
        (absent, good.key, "absent.*: No such file"),
        (good.path, tmp_path, "Is a directory|is not a regular file"),
    ]
    for certificate, key, reason in cases:
        for make in (ServerTls(certificate, key).context, ClientTls(None, certificate, key).context):
            with pytest.raises(CredentialError, match=reason):
                make()
    for ca, reason in ((nonsense, "has no certificate in PEM form"), (absent, "No such file")):
        for make in (ClientTls(ca).context, ServerTls(good.path, good.key, ca).context):
            with pytest.raises(CredentialError, match=f"CA file .*: {reason}"):
                make()
    with pytest.raises(CredentialError, match="without its certificate"):
        ClientTls(None, None, good.key).context()


def test_which_data_connections_are_secure() -> None:
    invited = (Pval("NDMPDUP_TLS_SHA256", "ab" * 32), Pval("NDMPDUP_TLS_TOKEN", "cd" * 32))
    plain = TcpEndpoint(0x7F000001, 1000, (Pval("OTHER", "1"),))
    secure = TcpEndpoint(0x7F000001, 1001, invited)
    broken = TcpEndpoint(0x7F000001, 1002, invited[:1])
    short = TcpEndpoint(0x7F000001, 1003, (invited[0], Pval("NDMPDUP_TLS_TOKEN", "cd")))
    assert [is_secure(endpoint) for endpoint in (plain, secure, broken, short)] == [False, True, False, False]
    assert secure_endpoints(TcpAddresses((plain, secure, broken))) == TcpAddresses((secure,))
    with pytest.raises(TlsError, match="TLS is required"):
        secure_endpoints(TcpAddresses((plain, broken, short)))

    def at(port: int) -> TcpAddresses:
        return TcpAddresses((TcpEndpoint(0x7F000001, port),))

    cases = [
        (at(1001), (plain, secure), True),
        (at(1000), (plain, secure), False),
        (at(5), (plain, secure), None),
        (LocalAddress(), (plain, secure), None),
        (None, (plain, secure), None),
        (None, (plain,), False),
        (None, (secure,), True),
    ]
    for used, offered, expected in cases:
        assert security_of(TcpAddresses(offered), used) is expected
