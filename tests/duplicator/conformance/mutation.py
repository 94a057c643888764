"""Ways to break our host, each of them a small patch that a mutant is made of."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.machine import Transition
from ndmp.services.outbox import Outbox
from ndmp.wire import Post

__all__ = [
    "Mutant",
    "Patch",
    "allows",
    "around",
    "both",
    "changes",
    "forgets",
    "instead",
    "replaced",
    "silent",
    "told",
    "twice",
    "yes",
]

Patch = Callable[[pytest.MonkeyPatch], None]
Method = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """A patch, and the checks that are made on a host with it."""

    name: str
    patch: Patch
    checks: tuple[str, ...]


def replaced(where: Any, name: str, new: Any) -> Patch:
    """Something else in the place of an attribute of a class or module."""
    return lambda monkeypatch: monkeypatch.setattr(where, name, new)


def around(where: Any, name: str, make: Callable[[Method], Method]) -> Patch:
    """A method made of the true one."""
    return replaced(where, name, make(getattr(where, name)))


def both(*patches: Patch) -> Patch:
    """Several patches together."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for each in patches:
            each(monkeypatch)

    return patch


def instead(where: Any, name: str, errors: Mapping[Error, Error]) -> Patch:
    """A method that refuses with other errors."""

    def make(true: Method) -> Method:
        def method(*args: Any, **named: Any) -> Any:
            try:
                return true(*args, **named)
            except ReplyError as refusal:
                raise ReplyError(errors.get(refusal.error, refusal.error)) from refusal

        return method

    return around(where, name, make)


def yes(where: Any, name: str, reply: Any, *errors: Error) -> Patch:
    """A method that says yes where it should refuse with one of these errors."""

    def make(true: Method) -> Method:
        def method(*args: Any, **named: Any) -> Any:
            try:
                return true(*args, **named)
            except ReplyError as refusal:
                if errors and refusal.error not in errors:
                    raise
                return reply

        return method

    return around(where, name, make)


def changes(where: Any, name: str, **fields: Any) -> Patch:
    """A method whose reply has other fields: a value, or a function of the true one."""

    def make(true: Method) -> Method:
        def method(*args: Any, **named: Any) -> Any:
            reply = true(*args, **named)
            made = {
                field: value(getattr(reply, field)) if callable(value) else value for field, value in fields.items()
            }
            return dataclasses.replace(reply, **made)

        return method

    return around(where, name, make)


def forgets(where: Any, name: str) -> Patch:
    """A method that does nothing."""
    return replaced(where, name, lambda *args, **named: None)


def silent(kind: type[Post]) -> Patch:
    """Notifications of a kind are lost."""
    return _posting(kind, lambda post: [])


def twice(kind: type[Post]) -> Patch:
    """Notifications of a kind are sent twice."""
    return _posting(kind, lambda post: [post, post])


def told(kind: type[Post], **fields: Any) -> Patch:
    """Notifications of a kind say something else."""
    return _posting(kind, lambda post: [dataclasses.replace(post, **fields)])


def _posting(kind: type[Post], altered: Callable[[Any], list[Any]]) -> Patch:
    def make(true: Method) -> Method:
        def method(outbox: Outbox, post: Post) -> None:
            for each in altered(post) if isinstance(post, kind) else [post]:
                true(outbox, each)

        return method

    return around(Outbox, "post", make)


def allows(module: Any, table: str, state: Any, event: Any, to: Any) -> Patch:
    """A transition that the draft does not have."""
    return replaced(module, table, (*getattr(module, table), Transition(state, event, to, "none")))
