"""A backup program for ndmjob's data agent that sends one file as it is: FILESYSTEM names it."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    environment = dict(word.split("=", 1) for word in reversed(sys.argv) if "=" in word)
    os.execvp("cat", ["cat", environment["FILESYSTEM"]])
