"""Which credential an agent has for a host: its own, the host's, or that of the storage server of the same name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from duplicator.config import (
    Config,
    Credential,
    agents_of,
    client_tls,
    credential_of,
    local_agent,
    password_found,
    place_of,
)
from duplicator.credentials import Role
from duplicator.status import JobError, Status
from tests.duplicator.config.texts import config_of
from tests.duplicator.test_credentials import MemoryKeyring

TEXT = """\
[agents.me]
hosts = ["files", "named", "other", "tapehost", "alone"]
credentials.tapehost = { password_file = "mine" }
credentials.files = { user = "me" }
[agents.far]
command = ["ssh", "far"]
hosts = ["files"]
[storage.disk.unit]
host = "Server"
file_service = "files"
[hosts.Server]
address = "10.1.0.1"
port = 10001
user = "ost"
password_file = "server"
[hosts.files]
address = "10.1.0.2"
storage_server = "Server"
[hosts.named]
address = "server"
[hosts.other]
address = "10.1.0.1"
tls = true
[hosts.alone]
address = "10.1.0.9"
user = "solo"
[hosts.tapehost]
address = "10.2.0.1"
user = "operator"
password_file = "tape"
"""


@pytest.fixture(autouse=True)
def ring() -> Iterator[MemoryKeyring]:
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in ("server", "mine", "tape"):
        (tmp_path / name).write_text(f"of {name}\n")
        (tmp_path / name).chmod(0o600)
    return config_of(tmp_path, TEXT)


def test_credentials(config: Config, tmp_path: Path) -> None:
    server = Credential(user="ost", password_file=tmp_path / "server")
    table = {
        ("me", "Server"): server,
        ("me", "files"): Credential(user="me"),
        ("far", "files"): server,  # by reference
        ("me", "named"): server,  # its address is the name of the storage server
        ("me", "other"): server,  # its address is the storage server's
        ("me", "alone"): Credential(user="solo"),
        ("me", "tapehost"): Credential(user="operator", password_file=tmp_path / "mine"),
        ("far", "tapehost"): Credential(user="operator", password_file=tmp_path / "tape"),
    }
    for (agent, host), expected in table.items():
        assert credential_of(config, config.agents[agent], host) == expected, (agent, host)


def test_only_a_storage_server_lends_its_credential(tmp_path: Path) -> None:
    text = '[hosts.a]\naddress = "10.1.0.1"\nuser = "u"\n[hosts.b]\naddress = "10.1.0.1"\n'
    for more, user in (("", None), ('[storage.disk.x]\nhost = "a"\nfile_service = "b"\n', "u")):
        config = config_of(tmp_path, text + more)
        (here,) = agents_of(config)
        assert (here.name, here.hosts, here.is_local) == ("local", ("a", "b"), True)
        assert credential_of(config, here, "b").user == user


def test_places(config: Config) -> None:
    me = config.agents["me"]
    assert local_agent(config) == me
    table = {
        "Server": ("ndmp://ost@10.1.0.1:10001/unit", "of server"),
        "named": ("ndmp://ost@server:10000/unit", "of server"),
        "other": ("ndmps://ost@10.1.0.1:30000/unit", "of server"),
        "tapehost": ("ndmp://operator@10.2.0.1:10000/unit", "of mine"),
    }
    for host, (url, secret) in table.items():
        place = place_of(config, host, path="unit", agent=me, environ={})
        assert (str(place.url), place.secret.reveal()) == (url, secret)
        assert place.tls == client_tls(config)


def test_passwords_without_a_file(config: Config, ring: MemoryKeyring) -> None:
    me = config.agents["me"]
    with pytest.raises(JobError, match=r"keyring set ndmpdup solo@10\.1\.0\.9:10000") as caught:
        place_of(config, "alone", agent=me, environ={})
    assert caught.value.status == Status.NO_CREDENTIALS
    assert password_found(config, {}) == set()
    ring.set_password("ndmpdup", "solo@10.1.0.9:10000", "ring")
    assert place_of(config, "alone", agent=me, environ={}).secret.reveal() == "ring"
    assert password_found(config, {}) == {"alone"}
    environ = {"NDMPDUP_PASSWORD": "any", "NDMPDUP_FROM_PASSWORD": "from"}
    assert place_of(config, "alone", agent=me, environ=environ).secret.reveal() == "any"
    assert place_of(config, "alone", agent=me, role=Role.FROM, environ=environ).secret.reveal() == "from"
    assert password_found(config, environ) == set(config.hosts)


def test_the_keyring_may_know_the_storage_server(tmp_path: Path, ring: MemoryKeyring) -> None:
    text = '[hosts.a]\naddress = "10.1.0.1"\nport = 5\nuser = "u"\n[hosts.b]\naddress = "h"\nstorage_server = "a"\n'
    config = config_of(tmp_path, text)
    (here,) = agents_of(config)
    ring.set_password("ndmpdup", "u@10.1.0.1:5", "of a")
    assert place_of(config, "b", agent=here, environ={}).secret.reveal() == "of a"
    ring.set_password("ndmpdup", "u@h:10000", "of b")
    assert place_of(config, "b", agent=here, environ={}).secret.reveal() == "of b"


def test_nobody_to_log_in_as(tmp_path: Path) -> None:
    config = config_of(tmp_path, '[agents.me]\n[hosts.a]\naddress = "h"\n')
    with pytest.raises(JobError, match=r"no user is known for host 'a': add 'user' to \[hosts\.a\]"):
        place_of(config, "a", agent=config.agents["me"], environ={"NDMPDUP_PASSWORD": "x"})
    assert password_found(config, {"NDMPDUP_PASSWORD": "x"}) == set()
