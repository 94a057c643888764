"""Descriptions and extensions that are broken in one way each."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

import dataclasses
from typing import Any

from ndmp.enums import (
    Error,
)
from ndmp.messages.config import ConfigSetExtListReply
from ndmp.services import interfaces
from ndmp.services.config import ConfigService, ExtensionService
from tests.duplicator.conformance.mutation import (
    Method,
    Mutant,
    around,
    changes,
    forgets,
    instead,
    yes,
)

__all__ = ["CONFIG"]

OK = Error.NO_ERR


def _settles_at_once(true: Method) -> Method:
    def select(service: Any, request: Any) -> Any:
        try:
            return true(service, request)
        finally:
            service._fixed = True

    return select


CONFIG = (
    Mutant(
        "needs no list before a choice",
        yes(ExtensionService, "_set", ConfigSetExtListReply(OK), Error.PRECONDITION),
        ("extensions",),
    ),
    Mutant(
        "lets a class be named twice",
        yes(ExtensionService, "_set", ConfigSetExtListReply(OK), Error.EXT_DUPL_CLASSES),
        ("extensions",),
    ),
    Mutant(
        "mixes up class and version",
        instead(ExtensionService, "_set", {Error.CLASS_NOT_SUPPORTED: Error.VERSION_NOT_SUPPORTED}),
        ("extensions",),
    ),
    Mutant(
        "settles extensions by a refused choice", around(ExtensionService, "_set", _settles_at_once), ("extensions",)
    ),
    Mutant("negotiates after use", forgets(ExtensionService, "fix_default"), ("echo",)),
    Mutant("negotiates again and again", forgets(ExtensionService, "_audit_open"), ("extensions", "echo")),
    Mutant("echoes louder", changes(interfaces, "TestEchoReply", text=str.upper), ("echo",)),
    Mutant(
        "accepts unknown ways to log in",
        around(
            ConfigService,
            "_auth_attr",
            lambda true: lambda s, r: true(s, dataclasses.replace(r, auth_type=min(int(r.auth_type), 2))),
        ),
        ("auth",),
    ),
    Mutant("has no host name", changes(ConfigService, "_host_info", hostname=""), ("config.host",)),
)
