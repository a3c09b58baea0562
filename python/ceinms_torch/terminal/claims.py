"""Folders that this command writes into, until it ends."""

from __future__ import annotations

from contextlib import ExitStack

CLAIMS = ExitStack()
