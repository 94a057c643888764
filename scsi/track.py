"""Where a tape stands, by counting what passes the head; and where its filemarks are, as far as they were seen."""

from __future__ import annotations

from bisect import bisect_left

from scsi.tape import Position

__all__ = ["UNKNOWN", "Track"]

UNKNOWN = -1
"""In a Position: a file number, or a block in a file, that can't be told without moving the tape."""


class Track:
    """The count. Objects are numbered from 0; every filemark before object ``_seen`` is in ``_marks``."""

    def __init__(self) -> None:
        self._at: int | None = None
        self._file = UNKNOWN
        self._file_start: int | None = None
        self._marks: list[int] = []
        self._seen = 0
        self._end: int | None = None

    @property
    def at(self) -> int | None:
        """The number of the object that comes next; None: unknown."""
        return self._at

    @property
    def marks_before(self) -> int | None:
        """Filemarks between here and BOT; None: unknown."""
        return None if self._at is None or self._file == UNKNOWN else self._file

    @property
    def file_start(self) -> int | None:
        """The number of the first object of the file that it stands in; None: unknown."""
        return self._file_start

    @property
    def end(self) -> int | None:
        """How many objects the tape has; None: unknown."""
        return self._end

    def mark(self, number: int) -> int:
        """The object number of a filemark that was seen, counted from 0."""
        return self._marks[number]

    def forget(self) -> None:
        """Nobody knows where the tape stands now; what is on it is as it was."""
        self._at = None

    def stand(self, at: int, *, file: int = UNKNOWN, file_start: int | None = None) -> None:
        """The tape has gone to object ``at``, in a file that the drive may tell."""
        self._at, self._file, self._file_start = at, file, file_start
        if at <= self._seen:
            self._file = bisect_left(self._marks, at)
            self._file_start = self._marks[self._file - 1] + 1 if self._file else 0

    def pass_blocks(self, count: int) -> None:
        """Over ``count`` blocks, backwards if negative."""
        if self._at is None:
            return
        if self._at <= self._seen:
            self._seen = max(self._seen, self._at + count)
        self._at += count

    def pass_mark(self) -> None:
        """Forwards over one filemark."""
        if self._at is None:
            return
        if self._at == self._seen:
            self._marks.append(self._at)
            self._seen += 1
        self._at += 1
        self._file += self._file != UNKNOWN
        self._file_start = self._at

    def pass_mark_back(self) -> None:
        """Backwards over one filemark."""
        if self._at is not None:
            self.stand(self._at - 1, file=UNKNOWN if self._file == UNKNOWN else self._file - 1)

    def reach_end(self) -> None:
        """Here is the end of data."""
        self._end = self._at

    def write(self, *, blocks: int = 0, marks: int = 0) -> None:
        """Blocks or filemarks were written here; everything behind them is gone."""
        if self._at is None:
            return
        self.cut(self._at)
        self.pass_blocks(blocks)
        for _ in range(marks):
            self.pass_mark()
        self._end = self._at

    def cut(self, at: int) -> None:
        """Nothing is known of what comes from object ``at`` on."""
        self._seen = min(self._seen, at)
        del self._marks[bisect_left(self._marks, at) :]
        self._end = None

    def position(self) -> Position | None:
        """All of it; None if unknown. What the drive alone could tell, and did not, is UNKNOWN."""
        if self._at is None:
            return None
        if self._at == 0:
            return Position(0, 0, 0, at_bot=True, at_eod=self._end == 0)
        in_file = UNKNOWN if self._file_start is None else self._at - self._file_start
        return Position(self._at, self._file, in_file, at_bot=False, at_eod=self._at == self._end)
