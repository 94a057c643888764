"""Which agents run a job, and what is missing if none can."""

from __future__ import annotations

from pathlib import Path

import pytest

from duplicator.selection import Agents, assign, assign_unit, reaches, usable_drives
from duplicator.status import JobError, Status
from tests.duplicator.config.texts import config_of

HOSTS = """\
[hosts.appliance]
address = "10.1.0.1"
user = "u"
[hosts.tape1]
address = "10.2.0.1"
user = "u"
[hosts.tape2]
address = "tape2.example"
user = "u"
[drives.d1]
host = "tape1"
device = "a"
[drives.d2]
host = "tape2"
device = "b"
[storage.disk.unit]
host = "appliance"
[storage.tape.lto]
drives = ["d1", "d2"]
[storage.tape.second]
drives = ["d2"]
"""


def agents_text(**agents: dict[str, object]) -> str:
    """Agents as TOML: ``remote``, ``hosts``, ``reach``, ``own`` (credentials)."""
    lines = []
    for name, said in agents.items():
        lines.append(f"[agents.{name}]")
        lines += [f"{key} = {said[key]!r}" for key in ("hosts", "reach") if key in said]
        if said.get("remote", True):
            lines.append(f"command = ['ssh', '{name}']")
        for host in said.get("own", []):  # type: ignore[attr-defined]
            lines += [f"[agents.{name}.credentials.{host}]", "user = 'u'"]
    return "\n".join(lines)


BOTH = ["appliance", "tape1"]
# Agents; names that may; hosts with passwords found; the agents of the write and the read side, and some of the reason.
CHOICES: list[tuple[dict[str, dict[str, object]], tuple[str, ...], set[str], tuple[str, str], str]] = [
    ({}, (), set(), ("local", "local"), "agent local has credentials for tape1 and appliance"),
    ({"a": {"hosts": BOTH}, "b": {"hosts": BOTH}}, (), set(), ("a", "a"), ""),
    ({"b": {"hosts": BOTH}, "a": {"hosts": BOTH}}, (), set(), ("b", "b"), ""),
    ({"a": {"hosts": BOTH}, "b": {"hosts": BOTH}}, ("b",), set(), ("b", "b"), ""),
    (
        {"a": {"hosts": ["tape1"]}, "b": {"hosts": ["appliance"]}},
        (),
        set(),
        ("a", "b"),
        "agent a has credentials for tape1 and has no credentials for appliance; agent b does both",
    ),
    # One agent goes before the first agent.
    ({"a": {"hosts": ["tape1"]}, "b": {"hosts": ["appliance"]}, "c": {"own": BOTH}}, (), set(), ("c", "c"), ""),
    (
        {"a": {"hosts": BOTH, "reach": ["10.2.0.0/16"]}, "b": {"hosts": BOTH, "reach": ["appliance"]}},
        (),
        set(),
        ("a", "b"),
        "agent a has credentials for tape1 and does not reach appliance",
    ),
    # The environment and the keyring are this process's.
    ({"a": {"hosts": ["tape1"], "remote": False}, "b": {"hosts": BOTH}}, (), set(), ("b", "b"), ""),
    ({"a": {"hosts": ["tape1"], "remote": False}, "b": {"hosts": BOTH}}, (), {"appliance"}, ("a", "a"), ""),
    ({"a": {"hosts": ["tape1"]}, "b": {"hosts": ["appliance"]}}, (), {"appliance", "tape1"}, ("a", "b"), ""),
]


def test_who_runs_a_job(tmp_path: Path) -> None:
    for agents, names, found, expected, reason in CHOICES:
        config = config_of(tmp_path, agents_text(**agents) + "\n" + HOSTS)
        chosen = assign(config, read_host="appliance", write_host="tape1", agents=Agents(names, found))
        assert (chosen.write_agent, chosen.read_agent) == expected, agents
        assert (chosen.write_host, chosen.read_host) == ("tape1", "appliance")
        assert chosen.same_agent == (expected[0] == expected[1])
        assert reason in chosen.reason


LACKS: list[tuple[dict[str, dict[str, object]], tuple[str, ...], list[str]]] = [
    (
        {"a": {"hosts": ["tape1"]}, "b": {"hosts": ["tape2"]}},
        (),
        ["no agent has credentials for host 'appliance' of the read side (asked: a and b): add it to 'hosts'"],
    ),
    ({"a": {"hosts": ["appliance"]}}, (), ["no agent has credentials for host 'tape1' of the write side (asked: a)"]),
    ({"a": {"hosts": ["tape2"]}}, (), ["host 'tape1' of the write side", "host 'appliance' of the read side"]),
    ({"a": {"hosts": BOTH}, "b": {"hosts": ["tape1"]}}, ("b",), ["'appliance' of the read side (asked: b)"]),
    (
        {"a": {"hosts": BOTH, "reach": ["tape1", "10.2.0.0/16"]}},
        (),
        ["agent a with credentials for host 'appliance' of the read side cannot reach it: add 10.1.0.1 to its 'reach'"],
    ),
]


def test_what_is_missing(tmp_path: Path) -> None:
    for agents, names, reasons in LACKS:
        config = config_of(tmp_path, agents_text(**agents) + "\n" + HOSTS)
        with pytest.raises(JobError) as caught:
            assign(config, read_host="appliance", write_host="tape1", agents=Agents(names))
        assert (caught.value.status, caught.value.step) == (Status.NO_CREDENTIALS, "prepare")
        for reason in reasons:
            assert reason in caught.value.reason, agents


def test_reach(tmp_path: Path) -> None:
    config = config_of(tmp_path, agents_text(a={"hosts": BOTH}) + "\n" + HOSTS)
    cases: list[tuple[list[str], list[str]]] = [
        ([], ["appliance", "tape1", "tape2"]),
        (["10.1.0.0/16"], ["appliance"]),
        (["10.0.0.0/8"], ["appliance", "tape1"]),
        (["10.2.0.1"], ["tape1"]),
        (["tape2"], ["tape2"]),
        (["tape2.example"], ["tape2"]),
        (["2001:db8::/32", "0.0.0.0/0"], ["appliance", "tape1"]),
    ]
    for reach, expected in cases:
        agent = config_of(tmp_path, agents_text(a={"hosts": BOTH, "reach": reach}) + "\n" + HOSTS).agents["a"]
        assert [name for name, host in config.hosts.items() if reaches(agent, host)] == expected, reach


def test_a_unit_of_two_tape_servers(tmp_path: Path) -> None:
    config = config_of(
        tmp_path, agents_text(a={"hosts": ["tape1"]}, b={"hosts": ["appliance", "tape2"]}) + "\n" + HOSTS
    )
    source, target = config.storage.disk["unit"], config.storage.tape["lto"]
    preferred = assign_unit(config, source, target)
    assert (preferred.write_agent, preferred.read_agent, preferred.write_host) == ("b", "b", "tape2")
    granted = assign_unit(config, source, target, drive=config.drives["d1"])
    assert (granted.write_agent, granted.read_agent, granted.write_host) == ("a", "b", "tape1")
    assert usable_drives(config, source, target) == (config.drives["d1"], config.drives["d2"])
    only = Agents(("b",))
    assert usable_drives(config, source, target, agents=only) == (config.drives["d2"],)
    assert assign_unit(config, source, target, agents=only).write_host == "tape2"
    with pytest.raises(JobError, match=r"no agent has credentials for host 'tape1'.*; no agent has .*'appliance'"):
        assign_unit(config, source, target, agents=Agents(("nobody",)))


def test_tape_to_tape(tmp_path: Path) -> None:
    config = config_of(tmp_path, agents_text(a={"hosts": ["tape1"]}, b={"hosts": ["tape2"]}) + "\n" + HOSTS)
    source, target = config.storage.tape["lto"], config.storage.tape["second"]
    chosen = assign_unit(config, source, target)
    assert (chosen.read_host, chosen.write_host, chosen.read_agent) == ("tape2", "tape2", "b")
    chosen = assign_unit(config, config.drives["d1"], target)
    assert (chosen.read_host, chosen.write_host, chosen.read_agent, chosen.write_agent) == ("tape1", "tape2", "a", "b")
