"""`ndmpdup.toml`: hosts and who may log in there, units, libraries, drives, pools, policies and agents."""

from __future__ import annotations

from duplicator.config.access import agents_of, client_tls, credential_of, local_agent, password_found, place_of
from duplicator.config.model import (
    LOCAL_AGENT,
    AgentSpec,
    CatalogSettings,
    Config,
    Credential,
    DiskUnit,
    DriveSpec,
    HostRole,
    HostSpec,
    LibrarySpec,
    PolicyDeadlines,
    PolicySpec,
    PoolSpec,
    Route,
    StorageUnits,
    TapeUnit,
    TlsSettings,
    Validation,
    XbsaSettings,
)
from duplicator.config.problems import ConfigError, Problem
from duplicator.config.reading import Reading, load, read
from duplicator.config_file import FILE_NAME, VARIABLE, find_file

__all__ = [
    "FILE_NAME",
    "LOCAL_AGENT",
    "VARIABLE",
    "AgentSpec",
    "CatalogSettings",
    "Config",
    "ConfigError",
    "Credential",
    "DiskUnit",
    "DriveSpec",
    "HostRole",
    "HostSpec",
    "LibrarySpec",
    "PolicyDeadlines",
    "PolicySpec",
    "PoolSpec",
    "Problem",
    "Reading",
    "Route",
    "StorageUnits",
    "TapeUnit",
    "TlsSettings",
    "Validation",
    "XbsaSettings",
    "agents_of",
    "client_tls",
    "credential_of",
    "find_file",
    "load",
    "local_agent",
    "password_found",
    "place_of",
    "read",
]
