"""What a correct file becomes, which file counts, and what cannot be read at all."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from duplicator.config import (
    AgentSpec,
    Config,
    ConfigError,
    Credential,
    DriveSpec,
    HostRole,
    HostSpec,
    LibrarySpec,
    PolicyDeadlines,
    PolicySpec,
    PoolSpec,
    Route,
    TapeUnit,
    Validation,
    XbsaSettings,
    find_file,
    load,
)
from duplicator.plan import Deadlines
from tests.duplicator.config.texts import SMALL, WHOLE, config_of, problems_of, write


def test_a_whole_file(tmp_path: Path) -> None:
    config = config_of(tmp_path, WHOLE)
    assert config.file == tmp_path / "ndmpdup.toml"
    assert config.catalog.url == "postgresql+psycopg://ndmpdup@db/catalog"
    assert (config.tls.ca, config.tls.required) == (tmp_path / "ca.pem", True)
    assert dict(config.agents) == {
        "control1": AgentSpec(name="control1", hosts=("tapehost",), reach=("10.2.0.0/16", "tapehost")),
        "control2": AgentSpec(
            name="control2",
            hosts=("appliance",),
            command=("ssh", "control2", "ndmpdup", "agent"),
            credentials={"tapehost": Credential(user="two", password_file=Path("/etc/two"))},
        ),
    }
    assert config.hosts["appliance"] == HostSpec(
        name="appliance",
        address="appliance.example",
        port_given=10001,
        tls=True,
        user="backup",
        password_file=tmp_path / "appliance.pw",
        roles=(HostRole.FILE_SERVICE, HostRole.DATA_SERVER),
    )
    assert (config.hosts["tapehost"].address, config.hosts["tapehost"].roles) == (
        "2001:db8::1",
        (HostRole.TAPE_SERVER,),
    )
    assert config.libraries["big"] == LibrarySpec(
        name="big", host="tapehost", device="/dev/sg3", drives={"d1": 0, "d2": 1}
    )
    first = DriveSpec(name="d1", host="tapehost", device="/dev/nst0", library="big", media=("L7", "L8"))
    second = DriveSpec(name="d2", host="tapehost", device="/dev/nst1", library="big")
    assert dict(config.drives) == {"d1": first, "d2": second}
    unit = config.storage.disk["unit1"]
    assert (unit.unit, unit.file_service, unit.path) == ("LSU_1", "service", Path("/mnt/unit1"))
    tape = TapeUnit(name="lto", library="big", pool="daily", record_bytes=262144, max_jobs=1)
    assert dict(config.storage.tape) == {"lto": tape}
    assert config.drives_of(tape) == (first, second)
    assert list(map(config.element_of, (first, second))) == [0, 1]
    assert dict(config.pools) == {
        "free": PoolSpec(name="free", scratch=True),
        "daily": PoolSpec(name="daily", media=("L8",), scratch="free", retention=timedelta(days=30), prefix="DA"),
    }
    assert config.xbsa == XbsaSettings(
        unit="unit1",
        tape=("lto",),
        folder=tmp_path / "sockets",
        users=("one", "two"),
        idle=timedelta(minutes=5),
        start=timedelta(seconds=30),
    )
    assert config.policies["nightly"] == PolicySpec(
        name="nightly",
        source="unit1",
        targets=("lto",),
        images=("mail-*", "*.tar"),
        validation=Validation.LABELS,
        digest="sha256",
        copies_given=2,
        priority=-3,
        retention=timedelta(days=14),
        retries=0,
        back_off=timedelta(seconds=90),
        routes=(Route.TRADITIONAL, Route.DIRECT),
        record_bytes=65536,
        agents=("control1", "control2"),
        deadlines=PolicyDeadlines(mount=600.0, stall=2.5),
    )
    assert config.retention(config.policies["nightly"], tape) == timedelta(days=14)


def test_what_is_not_written(tmp_path: Path) -> None:
    config = config_of(tmp_path, SMALL)
    assert (config.catalog.url, config.tls.ca, config.tls.required, dict(config.agents)) == (None, None, False, {})
    appliance, unit, tape = config.hosts["appliance"], config.storage.disk["unit1"], config.storage.tape["lto"]
    assert (appliance.port, replace(appliance, tls=True).port) == (10000, 30000)
    assert (unit.unit, unit.file_service, unit.path) == ("unit1", "appliance", None)
    assert (tape.record_bytes, tape.max_jobs) == (65536, None)
    drive = config.drives["d1"]
    assert (drive.library, drive.media, config.element_of(drive), config.drives_of(tape)) == (None, (), None, (drive,))
    policy = config.policies["nightly"]
    assert (policy.images, policy.validation, policy.copies, policy.priority) == (("*",), Validation.DIGEST, 1, 0)
    assert policy.routes == (Route.DIRECT, Route.DIRECTCOPY, Route.TRADITIONAL)
    usual = Deadlines()
    for name in Deadlines.__dataclass_fields__:
        assert getattr(policy.deadlines, name) == getattr(usual, name), name
    assert config.retention(policy, tape) is None
    assert replace(policy, targets=("lto", "other")).copies == 2


def test_times_and_sizes(tmp_path: Path) -> None:
    for written, seconds in {
        "90": 90,
        "0.5": 0.5,
        '"30s"': 30,
        '"5 min"': 300,
        '"2h"': 7200,
        '"30 days"': 2592000,
        '"1w"': 604800,
        '"1year"': 31536000,
    }.items():
        policy = config_of(tmp_path, SMALL + f"back_off = {written}\n").policies["nightly"]
        assert policy.back_off == timedelta(seconds=seconds), written
    for written in ('"6 months"', '"5x"', '"-1s"', "0", "true", '"1.5h"', '"4000y"', "[1]", "1979-05-27", "nan", "inf"):
        (problem,) = problems_of(tmp_path, SMALL + f"back_off = {written}\n")
        assert "'back_off' is no time" in problem, written
    for written, size in {"512": 512, '"64k"': 65536, '"16M"': 16 << 20}.items():
        policy = config_of(tmp_path, SMALL + f"record_size = {written}\n").policies["nightly"]
        assert policy.record_bytes == size, written


def test_which_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    user = home / "ndmpdup" / "ndmpdup.toml"
    for folder in (user.parent, here):
        folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.chdir(here)
    assert find_file(environ={}) is None
    assert load(environ={}) == Config()
    user.write_text("")
    assert find_file(environ={}) == user
    Path("ndmpdup.toml").write_text("")
    assert find_file(environ={}) == Path("ndmpdup.toml")
    assert find_file(environ={"NDMPDUP_CONFIG": "other"}) == Path("other")
    assert find_file(Path("given"), {"NDMPDUP_CONFIG": "other"}) == Path("given")
    assert find_file(environ={"NDMPDUP_CONFIG": ""}) == Path("ndmpdup.toml")
    with pytest.raises(ConfigError, match=r"^given: cannot be read \(No such file or directory\); name another by"):
        load(Path("given"))


def test_what_is_no_toml(tmp_path: Path) -> None:
    for text, place in {
        '[hosts.a]\naddress = "h"\naddress = "i"\n': "3:",
        '[hosts.a]\n\n  address = h"\n': "3:13",
        "[hosts.a": "1:9",
        '[hosts.a]\naddress = """h\n\n': "2:",
        "[hosts.a]\n[hosts.a]\n": "2:",
    }.items():
        (problem,) = problems_of(tmp_path, text)
        assert re.match(f"{place}.*is not TOML: ", problem), problem
    path = write(tmp_path, "")
    path.write_bytes(b'a = "x"\nb = "\xc3\xa9\xff"\n')
    with pytest.raises(ConfigError, match=r"ndmpdup\.toml:2:7: is not UTF-8; save it as UTF-8$"):
        load(path)
    path.write_bytes(b"#" * ((4 << 20) + 1))
    with pytest.raises(ConfigError, match="longer than 4 MiB"):
        load(path)
    path.write_text("a = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(path)
