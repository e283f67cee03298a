"""The position of a follower in a file, which is always whole."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django_customer_history.exceptions import StateFileError

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a state file has."""

    position: UUID | None
    details: Mapping[str, Any] = field(default_factory=dict)
    """What a target keeps with the position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFile:
    """A JSON file with the position up to which a follower has dealt with the log.

    `question` names what is followed: its reader, database and filters. A position of one question
    says nothing about another one.
    """

    path: Path
    question: str

    def read(self) -> UUID | None:
        """Return the position, or None if there is no file yet.

        Raises `StateFileError` for a file that is damaged or belongs to another question.
        """
        state = self.load()
        return None if state is None else state.position

    def load(self) -> State | None:
        """Return the position and what is kept with it, or None if there is no file yet.

        Raises `StateFileError` as `read` does.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StateFileError(f"{self.path} cannot be read: {error}.") from error
        try:
            state = json.loads(text)
            version, question, position, details = (
                state["version"],
                state["question"],
                state["position"] and UUID(state["position"]),
                dict(state.get("details", {})),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateFileError(
                f"{self.path} is not a state file, or it is damaged. Restore it from a backup, or"
                " remove it to begin with the oldest entry: entries come again, and none is lost."
            ) from error
        if (version, question) != (_VERSION, self.question):
            raise StateFileError(
                f"{self.path} belongs to another reader, database or filter ({question})."
                " Use a state file for each."
            )
        return State(position=position, details=details)

    def write(self, position: UUID | None, **details: Any) -> None:
        """Replace the file in one step, after the disk has the new one."""
        state: dict[str, Any] = {
            "version": _VERSION,
            "question": self.question,
            "position": None if position is None else str(position),
        }
        if details:
            state["details"] = details
        beside = self.path.with_name(f"{self.path.name}.new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
