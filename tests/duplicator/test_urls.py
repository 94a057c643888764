"""NDMP URLs and listening addresses."""

from __future__ import annotations

import traceback

import pytest

from duplicator.urls import HostPort, NdmpUrl, UrlError


def test_urls_read_and_written() -> None:
    cases = [
        ("ndmp://ndmp@127.0.0.1", ("ndmp", "127.0.0.1", 10000, ""), "ndmp://ndmp@127.0.0.1:10000"),
        ("ndmp://ndmp@nas1/", ("ndmp", "nas1", 10000, ""), "ndmp://ndmp@nas1:10000"),
        ("ndmp://u@nas1:2000/lsu0", ("u", "nas1", 2000, "lsu0"), "ndmp://u@nas1:2000/lsu0"),
        ("ndmp://u@h/a/b", ("u", "h", 10000, "a/b"), "ndmp://u@h:10000/a/b"),
        ("ndmp://u@h:1//tmp/t/tape1", ("u", "h", 1, "/tmp/t/tape1"), "ndmp://u@h:1//tmp/t/tape1"),
        ("ndmp://u@h///x", ("u", "h", 10000, "//x"), "ndmp://u@h:10000///x"),
        ("NDMP://u@NAS1.Example/X", ("u", "nas1.example", 10000, "X"), "ndmp://u@nas1.example:10000/X"),
        ("ndmp://u@[::1]:65535/t", ("u", "::1", 65535, "t"), "ndmp://u@[::1]:65535/t"),
        ("ndmp://u@[FE80:0:0::1]", ("u", "fe80::1", 10000, ""), "ndmp://u@[fe80::1]:10000"),
        ("ndmp://a%40b%3Ac@h/x%20y%2Fz%25", ("a@b:c", "h", 10000, "x y/z%"), "ndmp://a%40b%3Ac@h:10000/x%20y/z%25"),
        ("ndmp://j%C3%BCrgen@h/%C3%A4?#", ("jürgen", "h", 10000, "ä?#"), "ndmp://j%C3%BCrgen@h:10000/%C3%A4%3F%23"),
        ("ndmp://u@h/p@q:r", ("u", "h", 10000, "p@q:r"), "ndmp://u@h:10000/p%40q%3Ar"),
    ]
    for text, parts, written in cases:
        url = NdmpUrl.parse(text)
        assert (url.user, url.host, url.port, url.path) == parts, text
        assert str(url) == written
        assert NdmpUrl.parse(written) == url


def test_urls_under_tls() -> None:
    cases = [
        ("ndmps://u@h", ("h", 30000, ""), "ndmps://u@h:30000"),
        ("NDMPS://u@[::1]/a%20b", ("::1", 30000, "a b"), "ndmps://u@[::1]:30000/a%20b"),
        ("ndmps://u@h:10000/x", ("h", 10000, "x"), "ndmps://u@h:10000/x"),
    ]
    for text, parts, written in cases:
        url = NdmpUrl.parse(text)
        assert url.tls
        assert (url.host, url.port, url.path) == parts
        assert str(url) == written
        assert NdmpUrl.parse(written) == url
        plain = NdmpUrl.parse(written.replace("ndmps:", "ndmp:"))
        assert not plain.tls
        assert plain != url
    for text in ("ndmps:u@h", "ndmpss://u@h", "ndmps:/u@h", "https://u@h"):
        with pytest.raises(UrlError, match="begins with ndmp:// or, under TLS, with ndmps://"):
            NdmpUrl.parse(text)
    with pytest.raises(UrlError, match="write ndmps://USER@HOST"):
        NdmpUrl.parse("ndmps://h")


def test_which_addresses_only_this_machine_reaches() -> None:
    ours = ("127.0.0.1", "127.9.9.9", "[::1]", "localhost")
    for host in ours:
        assert HostPort.parse(f"{host}:1").is_loopback
    for host in ("0.0.0.0", "[::]", "192.0.2.1", "localhost.example", "tapehost", "[::ffff:192.0.2.1]"):
        assert not HostPort.parse(f"{host}:1").is_loopback


def test_urls_that_are_refused() -> None:
    cases = [
        ("", "begins with ndmp://"),
        ("http://u@h", "begins with ndmp://"),
        ("ndmp:u@h", "begins with ndmp://"),
        ("ndmp://h", "no user"),
        ("ndmp://@h", "no user"),
        ("ndmp://a@b@h", "%40"),
        ("ndmp://u@", "host is missing"),
        ("ndmp://u@:10000", "host is missing"),
        ("ndmp://u@h:0", "1 to 65535"),
        ("ndmp://u@h:65536", "1 to 65535"),
        ("ndmp://u@h:-1", "1 to 65535"),
        ("ndmp://u@h:\u0661", "1 to 65535"),
        ("ndmp://u@::1", "brackets"),
        ("ndmp://u@[::g]", "IPv6"),
        ("ndmp://u@[::1]x", "brackets"),
        ("ndmp://u@h h", "no host name has"),
        ("ndmp://u@h/%2", "two hexadecimal"),
        ("ndmp://u@h/%ff", "UTF-8"),
        ("ndmp://u@h/%00", "printed"),
        ("ndmp://%0a@h", "printed"),
        ("ndmp://u@h/" + "x" * 4096, "at most 4096"),
    ]
    for text, words in cases:
        with pytest.raises(UrlError, match=words):
            NdmpUrl.parse(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    cases = ["ndmp://u:s3cret@h/x", "ndmp://u:s3@cret@h", "ndmp://u@x:s3cret@h", "ndmp://:s3cret@h"]
    for text in cases:
        with pytest.raises(UrlError, match=r"file.*environment.*keyring") as caught:
            NdmpUrl.parse(text)
        assert "s3" not in "".join(traceback.format_exception_only(caught.value))
    for text in ["ndmp://u:s3/cret@h", "ndmp://u:s3cret", "ndmp://u@h:s3cret", "ndmp://u@h:10000:s3cret", "u:s3cret@h"]:
        with pytest.raises(UrlError) as caught:
            NdmpUrl.parse(text)
        assert "s3" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_listening_addresses() -> None:
    cases = [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("localhost:10000", ("localhost", 10000)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ]
    for text, parts in cases:
        address = HostPort.parse(text)
        assert (address.host, address.port) == parts
        assert str(address) == text
    for text in ["", ":1", "localhost", "localhost:", "::1:80", "h:65536", "h:1:2", "h:a"]:
        with pytest.raises(UrlError):
            HostPort.parse(text)
