"""What holds for every message that a host sends, noted in passing during all checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from duplicator.conformance.transcript import Entry
from ndmp.enums import MessageType

__all__ = ["Conduct", "Rule"]


class Rule(StrEnum):
    """A rule for all messages."""

    SEQUENCE = "sequence"
    DECODES = "decodes"
    NO_BODY = "no-body"
    SOLICITED = "solicited"
    POST_HEADER = "post-header"
    TYPE = "type"
    TIME = "time"
    KNOWN = "known"


@dataclass(slots=True)
class Conduct:
    """The messages seen, and the first that broke each rule."""

    messages: int = 0
    broken: dict[Rule, tuple[str, Entry]] = field(default_factory=dict)

    def breaks(self, rule: Rule, came: str, entry: Entry) -> None:
        """Note that a rule was broken."""
        self.broken.setdefault(rule, (came, entry))

    def look_at(self, entry: Entry, *, expected_sequence: int) -> None:
        """Hold a message's header to the rules (draft 2.7)."""
        header = entry.header
        if header is None:
            return
        self.messages += 1
        if header.sequence != expected_sequence:
            self.breaks(Rule.SEQUENCE, f"sequence {header.sequence} where {expected_sequence} is due", entry)
        if int(header.message_type) > MessageType.REPLY:
            self.breaks(Rule.TYPE, f"message type {int(header.message_type)}", entry)
        if header.message_type == MessageType.REQUEST and (header.reply_sequence or header.error):
            came = f"reply sequence {header.reply_sequence}, error {int(header.error)} in a notification"
            self.breaks(Rule.POST_HEADER, came, entry)
        if header.message_type == MessageType.REPLY and header.error and len(entry.raw) > 24:
            self.breaks(Rule.NO_BODY, f"{len(entry.raw) - 24} bytes after a header with an error", entry)
        if not header.time_stamp:
            self.breaks(Rule.TIME, "time stamp 0", entry)
