"""The models of one name: a directory for each, named by its content, and a pointer to one of them.

A model never changes; promotion replaces the pointer file in one rename.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from adlib.artifacts import StoredModel, read_model, unpack, write_model
from adlib.errors import ModelError

_LOG = logging.getLogger(__name__)
_POINTER = "promoted.json"
_ADVICE = "List the models with `adlib models list`, or train one with `adlib train`."


@dataclass(frozen=True)
class Registry:
    """The models under one directory."""

    root: Path

    def add(self, stored: StoredModel) -> Path:
        """Store a model under its id, all of it or nothing.

        One that is there stays as it is, unless it was altered: training again puts it right.
        """
        final = self.root / stored.model_id
        if self._holds(stored, final):
            return final
        staged = self.root / f".{stored.model_id}.{uuid4().hex}"
        retired = staged.with_name(f"{staged.name}.retired")
        try:
            write_model(stored, staged)
            if final.exists():
                final.rename(retired)
            staged.rename(final)
        except OSError:
            if not self._holds(stored, final):  # nobody else stored it in the meantime
                raise
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            shutil.rmtree(retired, ignore_errors=True)
        return final

    def _holds(self, stored: StoredModel, directory: Path) -> bool:
        """Say whether a directory holds this model, unaltered."""
        try:
            return read_model(directory).tensors == stored.tensors
        except ModelError:
            return False

    def ids(self) -> tuple[str, ...]:
        """Return the ids of the stored models, in order."""
        if not self.root.is_dir():
            return ()
        return tuple(
            sorted(
                entry.name
                for entry in self.root.iterdir()
                if entry.is_dir() and not entry.name.startswith(".")
            )
        )

    def problem_with(self, model_id: str) -> str | None:
        """Say why a model is refused, or None where it is intact."""
        try:
            self.load(model_id)
        except ModelError as error:
            return str(error)
        return None

    def promoted(self) -> str | None:
        """Return the id of the promoted model, or None.

        Raises:
            ModelError: if the pointer cannot be read.
        """
        pointer = self.root / _POINTER
        if not os.path.lexists(pointer):
            return None
        message = (
            f"The pointer {pointer} cannot be read. Point it at a model again with "
            "`adlib models promote ID`."
        )
        if not pointer.is_file():
            raise ModelError(message)
        try:
            return str(json.loads(pointer.read_text("utf-8"))["id"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(message) from error

    def incumbent(self) -> tuple[StoredModel | None, str | None]:
        """Return the promoted model to compare with, or None, and why where one is refused."""
        try:
            return (None if self.promoted() is None else self.load()), None
        except ModelError as error:
            _LOG.warning("A new model is not compared with the promoted one: %s", error)
            return None, str(error)

    def promote(self, model_id: str) -> str | None:
        """Point at a model, after checking it; return the id that was pointed at before, if known.

        Raises:
            ModelError: if the model is not there or altered.
        """
        self.load(model_id)
        try:
            before = self.promoted()
        except ModelError:
            before = None
        staged = self.root / f".{_POINTER}.{uuid4().hex}"
        staged.write_text(json.dumps({"id": model_id}) + "\n", "utf-8")
        os.replace(staged, self.root / _POINTER)  # noqa: PTH105 - one call, atomic
        return before

    def load(self, model_id: str | None = None) -> StoredModel:
        """Return a checked model: the one named, else the promoted one.

        Raises:
            ModelError: if it is not there, or refused.
        """
        chosen = model_id or self.promoted()
        if chosen is None:
            message = f"No model is promoted in {self.root}. {_ADVICE}"
            raise ModelError(message)
        if chosen not in self.ids():
            found = ", ".join(self.ids()) or "none"
            which = f"model {chosen!r}" if model_id else f"promoted model {chosen!r} any more"
            message = f"There is no {which} in {self.root}; found: {found}. {_ADVICE}"
            raise ModelError(message)
        stored = read_model(self.root / chosen)
        unpack(stored, str(self.root / chosen))
        return stored
