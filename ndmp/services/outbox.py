"""Notifications of a session, as values, until the shell sends them."""

from __future__ import annotations

from ndmp.enums import LogAssociation, LogType
from ndmp.messages.notify import LogMessage
from ndmp.wire import Post

__all__ = ["Outbox"]


class Outbox:
    """Collects posts in order."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        """What has not been taken yet."""
        self._log_id = 0

    def post(self, post: Post) -> None:
        """Add a notification."""
        self.posts.append(post)

    def log(self, log_type: LogType, text: str) -> None:
        """Add a line for the application's log."""
        self._log_id += 1
        self.post(LogMessage(log_type, self._log_id, text, LogAssociation.NONE, 0))

    def take(self) -> list[Post]:
        """What there is, and forget it."""
        posts, self.posts = self.posts, []
        return posts
