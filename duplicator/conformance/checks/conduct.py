"""What holds for each message that the host sent in all checks before (draft 2.6, 2.7). Last but for nothing."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Level, Step, rows
from duplicator.conformance.conduct import Rule
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.situations import LOGGED_IN

__all__ = ["CHECKS"]


def _kept(rule: Rule, expected: str) -> Step:
    async def step(bench: Bench) -> None:
        if broken := bench.conduct.broken.get(rule):
            came, entry = broken
            raise Deviation(expected, came, answer=entry)

    return step


def _row(rule: Rule, section: str, level: Level, title: str, expected: str) -> Check:
    return Check(rule.value, section, level, title, LOGGED_IN, (_kept(rule, expected),))


CHECKS: Final[tuple[Check, ...]] = rows(
    "conduct",
    _row(Rule.SEQUENCE, "2.7", MUST, "sequences begin at 1 and go up by 1, in every session", "the next sequence"),
    _row(
        Rule.DECODES,
        "2.6, 2.10",
        MUST,
        "every body is what the draft declares, padded with zeros",
        "a body that decodes",
    ),
    _row(Rule.NO_BODY, "2.7", MUST, "after a header with an error there is no body", "a header alone"),
    _row(
        Rule.SOLICITED, "2.6, 2.7", MUST, "every reply is to a request, and the only one", "one reply to each request"
    ),
    _row(Rule.POST_HEADER, "2.7", MUST, "notifications have no reply sequence and no error", "zeros"),
    _row(Rule.TYPE, "2.7", MUST, "message types are request and reply", "0 or 1"),
    _row(Rule.TIME, "2.7", SHOULD, "headers tell the time", "seconds since 1970"),
    _row(Rule.KNOWN, "2.9", MUST, "notifications are known ones", "a code of section 2.9"),
)
