"""The exit statuses of the commands, besides 0 for success. They are public: scripts of users test them."""

from __future__ import annotations

SOME_FAILED = 1  # the command finished, but some input could not be read, or not to its end
WRONG_USAGE = 2  # the command could do nothing: wrong arguments, a rulebook with mistakes, no tshark
FOUND = 3  # the command finished, and found what --fail-on names
