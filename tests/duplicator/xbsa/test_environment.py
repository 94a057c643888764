"""The session's environment, and the settings of the client."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duplicator.xbsa import calls, session_state
from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.environment import RULES, Environment
from duplicator.xbsa.settings import Settings, find_settings
from duplicator.xbsa.types import BSA_Handle, BSA_ObjectOwner
from tests.duplicator.xbsa.steps import OK, begin, start, words

VERSION = "BSA_API_VERSION=1.1.0"
BAD = ReturnCode.INVALID_ENV


def test_what_init_takes_and_refuses() -> None:
    cases: list[tuple[tuple[str, ...], ReturnCode]] = [
        ((VERSION,), OK),
        ((VERSION, "OWN=value with = and blanks inside"), OK),
        ((VERSION, "OWN="), OK),
        ((VERSION, "BSA_DELIMITER=:"), OK),
        ((VERSION, "BSA_SERVICE_PROVIDER=a/b/c"), OK),
        ((VERSION, "BSA_DELIMITER=:", "BSA_SERVICE_PROVIDER=a:b:c"), OK),
        ((), BAD),
        (("bsa_api_version=1.1.0",), BAD),
        (("BSA_API_VERSION=",), ReturnCode.VERSION_NOT_SUPPORTED),
        (("BSA_API_VERSION=1.0.0",), ReturnCode.VERSION_NOT_SUPPORTED),
        (("BSA_API_VERSION=1.1",), ReturnCode.VERSION_NOT_SUPPORTED),
        (("BSA_API_VERSION =1.1.0",), BAD),
        (("BSA_API_VERSION= 1.1.0",), BAD),
        ((" BSA_API_VERSION=1.1.0",), BAD),
        ((VERSION, VERSION), BAD),
        ((VERSION, "nothing"), BAD),
        ((VERSION, "=value"), BAD),
        ((VERSION, "TWO WORDS=value"), BAD),
        ((VERSION, "BSA_DELIMITER="), BAD),
        ((VERSION, "BSA_DELIMITER=::"), BAD),
        ((VERSION, "BSA_DELIMITER=é"), BAD),
        ((VERSION, "BSA_SERVICE_PROVIDER=a/b"), BAD),
        ((VERSION, "BSA_SERVICE_PROVIDER=a/b/c/d"), BAD),
        ((VERSION, "BSA_SERVICE_PROVIDER=a//c"), BAD),
        ((VERSION, "NBBSA_POLICY=a\nb"), BAD),
        ((VERSION, "NDMPDUP_XBSA_DATA=pigeon"), BAD),
        ((VERSION, "NDMPDUP_XBSA_DEADLINE=soon"), BAD),
    ]
    for environment, code in cases:
        handle = BSA_Handle()
        assert calls.BSAInit(handle, None, BSA_ObjectOwner(), environment) == code, environment
        assert (handle.value != 0) == (code == OK)
        if code == OK:
            assert calls.BSATerminate(handle.value) == OK


def test_the_environment_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSA_API_VERSION", "1.1.0")
    monkeypatch.setenv("NBBSA_CLIENT_HOST", "elsewhere")
    assert calls.BSAInit(BSA_Handle(), None, BSA_ObjectOwner(), ()) == BAD
    assert "BSA_API_VERSION is missing" in words()
    found = session_state.session(start("NBBSA_POLICY=nightly"))
    assert found.host != "elsewhere"
    assert "NBBSA_POLICY" not in os.environ


def test_what_may_change() -> None:
    fixed = {
        *("BSA_API_VERSION", "BSA_DELIMITER", "BSA_SERVICE_PROVIDER"),
        *("NBBSA_FEATURE_ID", "NBBSA_LOG_DIRECTORY"),
    }
    values = {"NDMPDUP_XBSA_SERVICE": "/x", "NDMPDUP_XBSA_DATA": "socket", "NDMPDUP_XBSA_SOURCE": "tape"}
    environment = Environment([VERSION])
    for name in RULES:
        value = values.get(name, "5")
        if name in fixed:
            with pytest.raises(CallError, match=f"{name} is fixed"):
                environment.changed(name, value)
        else:
            assert environment.changed(name, value) == {"BSA_API_VERSION": "1.1.0", name: value}
    found = session_state.session(start())
    found.change("NBBSA_CLIENT_HOST", "other")
    assert found.host == "other"
    found.change("NDMPDUP_XBSA_DEADLINE", "7")
    assert found.settings.deadline == 7
    calls.BSATerminate(found.handle)
    with pytest.raises(CallError, match="within a transaction"):
        session_state.session(begin()).change("NBBSA_CLIENT_HOST", "other")


def test_where_settings_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's environment before the process's, that before the file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    usual = tmp_path / "ndmpdup" / "xbsa.toml"
    usual.parent.mkdir()
    usual.write_text('service = "/file"\ndata = "socket"\nsource = "disk"\ndeadline = 1.5\nstart = 2\n')
    named = tmp_path / "named.toml"
    named.write_text('service = "/named"\n')
    assert find_settings({}, {}) == Settings(Path("/file"), "socket", "disk", 1.5, 2.0)
    process = {"NDMPDUP_XBSA_SERVICE": "/process", "NDMPDUP_XBSA_DEADLINE": "3"}
    assert find_settings({}, process) == Settings(Path("/process"), "socket", "disk", 3.0, 2.0)
    session = {"NDMPDUP_XBSA_DEADLINE": "4", "NDMPDUP_XBSA_DATA": "shared-memory"}
    assert find_settings(session, process) == Settings(Path("/process"), "shared-memory", "disk", 4.0, 2.0)
    assert find_settings({}, {"NDMPDUP_XBSA_CONFIG": str(named)}) == Settings(Path("/named"))


def test_settings_that_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "xbsa.toml"
    process = {"NDMPDUP_XBSA_CONFIG": str(file)}
    cases = [
        ("", "there is no file"),
        ("service = 7", "service is an absolute path"),
        ('service = "relative"', "service is an absolute path"),
        ('data = "both"', "data is one of auto, shared-memory, socket"),
        ('source = "cloud"', "source is one of any, disk, tape"),
        ("deadline = true", "deadline is a number of seconds"),
        ("deadline = 0", "deadline is a number of seconds"),
        ("start = inf", "start is a number of seconds"),
        ("start = nan", "start is a number of seconds"),
        ("colour = 1", "there is no setting 'colour'"),
        ("no toml", "xbsa.toml"),
    ]
    for text, words_ in cases:
        if text:
            file.write_text(text)
        with pytest.raises(CallError, match=words_) as refused:
            find_settings({}, process)
        assert refused.value.code is BAD


def test_the_usual_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_settings({}, {}).service == Path("/run/ndmpdup/xbsa/root")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert find_settings({}, {}).service == tmp_path / "runtime/ndmpdup/xbsa/4000000"
