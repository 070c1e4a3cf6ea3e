"""Stores that the operator opened: what the page may ask of them. Whatever needs the network goes to the computing process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from .shelf import ALPHABET, LENGTH

if TYPE_CHECKING:
    from pellucid.model import Model


@dataclass(frozen=True)
class Opened:
    """A store as the command line names it; other processes get it as it is.

    Arguments:
        path: Its folder, whole.
        data, meta: Where its inputs and what is known of them lie; None where nobody says.
        load: Makes the model of the run; None: nothing can be computed, only looked at.
    """

    path: str
    data: str | None = None
    meta: str | None = None
    load: Callable[[], Model] | None = None

    @property
    def id(self) -> str:
        """Its name in addresses: the same whenever that folder is opened, so that links last; it does not say where that is.

        Example:
            >>> len(Opened("/runs/x").id), Opened("/runs/x").id == Opened("/runs/y").id
            (26, False)
        """
        number = int.from_bytes(sha256(self.path.encode()).digest(), "big")
        letters = []
        for _ in range(LENGTH):
            number, place = divmod(number, len(ALPHABET))
            letters.append(ALPHABET[place])
        return "".join(letters)
