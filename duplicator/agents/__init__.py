"""Control agents: processes with credentials of their own that run the read side of jobs (docs/agents.md)."""

from __future__ import annotations

from duplicator.agents.lines import AgentStart
from duplicator.agents.remote import RemoteSource
from duplicator.agents.sides import agents_text, read_side
from duplicator.agents.starting import AgentProcess, agent_process

__all__ = ["AgentProcess", "AgentStart", "RemoteSource", "agent_process", "agents_text", "read_side"]
