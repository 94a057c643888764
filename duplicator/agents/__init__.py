"""Control agents: processes with credentials of their own that run the read side of jobs (docs/agents.md)."""

from __future__ import annotations

from duplicator.agents.remote import RemoteSource
from duplicator.agents.sides import agents_text, read_side
from duplicator.agents.starting import AgentStart, agent_start

__all__ = ["AgentStart", "RemoteSource", "agent_start", "agents_text", "read_side"]
