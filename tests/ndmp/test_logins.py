"""Ways to log in that a host does not offer are refused, whatever an application proves by them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer
from ndmp.auth import md5_digest
from ndmp.enums import AuthType, Error
from ndmp.errors import ReplyError
from ndmp.messages.config import ConfigGetAuthAttr, ConfigGetServerInfo
from ndmp.messages.connect import AuthMd5, AuthMd5Attributes, AuthText, ConnectClientAuth
from ndmp.services.profile import STRICT
from tests.ndmp.fakes import host

DEADLINE = 10.0


async def by_text(client: Client) -> None:
    await client.call(ConnectClientAuth(AuthText("u", "sesame")))


async def by_md5(client: Client) -> None:
    attributes = (await client.call(ConfigGetAuthAttr(AuthType.MD5))).attributes
    assert isinstance(attributes, AuthMd5Attributes)
    await client.call(ConnectClientAuth(AuthMd5("u", md5_digest(b"sesame", attributes.challenge))))


async def by_md5_without_challenge(client: Client) -> None:
    await client.call(ConnectClientAuth(AuthMd5("u", md5_digest(b"sesame", bytes(64)))))


async def text_attributes(client: Client) -> None:
    await client.call(ConfigGetAuthAttr(AuthType.TEXT))


def test_only_what_is_offered() -> None:
    md5, text = AuthType.MD5, AuthType.TEXT
    cases = [
        ((md5, text), by_text, None),
        ((md5, text), by_md5, None),
        ((md5, text), text_attributes, None),
        ((md5,), by_md5, None),
        ((md5,), by_text, Error.ILLEGAL_ARGS),
        ((md5,), text_attributes, Error.ILLEGAL_ARGS),
        ((text,), by_text, None),
        ((text,), by_md5, Error.ILLEGAL_ARGS),
        ((text,), by_md5_without_challenge, Error.ILLEGAL_ARGS),
    ]

    async def story() -> None:
        for offered, attempt, refusal in cases:
            server = HostServer(host()[0], {"u": b"sesame"}.get, profile=replace(STRICT, auth_types=offered))
            _, port = await server.start("127.0.0.1", 0)
            async with asyncio.timeout(DEADLINE), connect("127.0.0.1", port) as client:
                await client.open(4)
                assert (await client.call(ConfigGetServerInfo())).auth_types == offered
                if refusal is None:
                    await attempt(client)
                else:
                    with pytest.raises(ReplyError) as refused:
                        await attempt(client)
                    assert refused.value.error == refusal
            await server.stop()

    asyncio.run(story())
