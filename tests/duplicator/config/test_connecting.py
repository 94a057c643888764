"""`ndmpdup config check --connect`, in processes of its own: hosts that are as the file says, and that are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.config.texts import write
from tests.duplicator.processes import USER, Host, Site, site_in


@pytest.fixture(autouse=True)
def no_password_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NDMPDUP_PASSWORD", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@pytest.fixture
def host(site: Site) -> Host:
    (site.folder / "images").mkdir()
    library = f"virtual-library:{site.folder / 'library'}?drives=1&slots=2&cartridges=1"
    offers = ["--lsu", f"unit1={site.folder / 'images'}", "--tape", f"tape1=virtual:{site.folder / 'tapes'}/T1"]
    return site.serve(*offers, "--changer", f"robot={library}")


def connected(site: Site, host: Host) -> str:
    """The configuration of that host."""
    drives = site.ask("probe", host.url(""), "--password-file", site.password)["tapes"]
    (in_library,) = (drive["name"] for drive in drives if drive["name"] != "tape1")
    return f"""\
[hosts.all]
address = "127.0.0.1"
port = {host.port}
user = "{USER}"
password_file = "{site.password}"
roles = ["file-service", "tape-server"]
[storage.disk.unit1]
host = "all"
[drives.d1]
host = "all"
device = "tape1"
[drives.d2]
host = "all"
device = "{in_library}"
[libraries.big]
host = "all"
changer = "robot"
drives = {{ d2 = 0 }}
"""


def test_hosts_that_are_as_the_file_says(site: Site, host: Host) -> None:
    path = write(site.folder, connected(site, host))
    ended = site.run("config", "check", "--connect", "--config", path)
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.splitlines()[-1] == f"{path}: no problem found"
    assert "login as backup; " in ended.out
    host.wait_until_idle()


def test_hosts_that_are_not(site: Site, host: Host) -> None:
    text = connected(site, host)
    for before, after in (
        ('"unit1"', '"unit1"'),
        ('[storage.disk.unit1]\nhost = "all"', '[storage.disk.unit1]\nhost = "all"\nunit = "unit2"'),
        ('device = "tape1"', 'device = "tape9"'),
        ('changer = "robot"', 'changer = "robbot"'),
        ('"tape-server"]', '"tape-server", "data-server"]'),
    ):
        text = text.replace(before, after)
    path = write(site.folder, text)
    ended = site.run("config", "check", "--connect", "--config", path, "--json")
    assert ended.code == 2, ended.err
    assert [(found["line"], found["problem"], found["hint"]) for found in ended.document["problems"]] == [
        (6, "host 'all' is no data-server", "see `ndmpdup probe` for what it offers"),
        (9, "host 'all' has no storage unit 'unit2'", "did you mean 'unit1'?"),
        (12, "host 'all' has no tape drive 'tape9'", "did you mean 'tape1'?"),
        (18, "host 'all' has no changer 'robbot'", "did you mean 'robot'?"),
    ]
    host.wait_until_idle()


def test_drive_elements_that_a_library_does_not_have(site: Site, host: Host) -> None:
    path = write(site.folder, connected(site, host).replace("d2 = 0", "d1 = 0, d2 = 1"))
    ended = site.run("config", "check", "--connect", "--config", path)
    assert ended.code == 2
    assert ended.out.splitlines()[-1] == (
        f"{path}:18:20: library 'big' has no drive element 1: it has 1, numbered from 0; "
        "see `ndmpdup changer URL inventory` for the order"
    )


def test_certificates_that_cannot_be_used(site: Site, host: Host) -> None:
    text = connected(site, host).replace('"127.0.0.1"\n', '"127.0.0.1"\ntls = true\n') + "[tls]\nca = 'absent'\n"
    ended = site.run("config", "check", "--connect", "--config", write(site.folder, text), "--json")
    (problem,) = ended.document["problems"]
    assert problem["problem"].startswith(f"CA file {site.folder}/absent: ")
    assert ended.document["hosts"][0]["said"].startswith("not asked: CA file ")


def test_hosts_that_do_not_let_us_in(site: Site, host: Host) -> None:
    wrong = site.secret_file("wrong", "not-the-secret")
    text = connected(site, host)
    for before, after, said in (
        (f'"{site.password}"', f'"{wrong}"', "refuses user 'backup' or the password"),
        (f"port = {host.port}", "port = 1", "host 127.0.0.1 port 1: "),
        (f'password_file = "{site.password}"\n', "", f"no password for backup@127.0.0.1:{host.port}"),
        ('"127.0.0.1"\n', '"127.0.0.1"\ntls = true\n', "TLS"),
    ):
        path = write(site.folder, text.replace(before, after))
        ended = site.run("config", "check", "--connect", "--config", path, "--json")
        (problem,) = ended.document["problems"]
        assert (ended.code, problem["line"]) == (2, 1)
        assert said in problem["problem"], problem
        assert problem["hint"]
        assert ended.document["hosts"] == [{"host": "all", "said": "failed"}]


def test_hosts_that_are_for_others(site: Site, host: Host) -> None:
    text = connected(site, host) + (
        "[hosts.far]\naddress = '127.0.0.2'\nuser = 'u'\n[hosts.beyond]\naddress = '127.0.0.3'\nuser = 'u'\n"
        "[agents.me]\nhosts = ['all', 'beyond']\nreach = ['127.0.0.1', 'far']\n"
        "[agents.other]\nhosts = ['far']\ncommand = ['ssh', 'other']\n"
    )
    path = write(site.folder, text)
    ended = site.run("config", "check", "--connect", "--config", path, "--json")
    assert ended.code == 0, ended.out
    _, far, beyond = ended.document["hosts"]
    assert far == {
        "host": "far",
        "said": "not asked: this agent has no credentials for it; --agent other has",
    }
    assert beyond == {"host": "beyond", "said": "not asked: it is beyond the 'reach' of agent me"}


def test_as_another_agent(site: Site, host: Host) -> None:
    own = f"credentials.all = {{ user = '{USER}', password_file = '{site.password}' }}\n"
    text = connected(site, host).replace(f'password_file = "{site.password}"\n', 'password_file = "absent"\n')
    text += f"[agents.me]\nhosts = ['all']\n[agents.far]\ncommand = ['ssh', 'far']\n{own}"
    path = write(site.folder, text)
    far = site.run("config", "check", "--connect", "--config", path, "--agent", "far")
    assert far.code == 0, far.out
    me = site.run("config", "check", "--config", path, "--json")
    assert [found["line"] for found in me.document["problems"]] == [5]
    nobody = site.run("config", "check", "--config", path, "--agent", "nobody")
    assert (nobody.code, "there is no agent 'nobody'; there is me and far" in nobody.err) == (2, True)
