"""The exceptions. Each says in four parts what was asked, what was found, why that cannot be, and what to do next.

PellucidError
├── PictureError    (ValueError)           a picture cannot be read as the model's input
├── ModelError      (ValueError)           a model cannot be loaded, or cannot be explained in its state
├── InputError      (ValueError)           an input does not fit the model, or holds NaN
│   └── SampleError (IndexError)           a batch has fewer samples than that
├── TargetError     (ValueError)           a target does not name one number of the output
├── WhereError      (LookupError)          an address matches no value, or more than one
├── MethodError     (LookupError)          no such method, recipe or metric, or it cannot do what was asked
├── NoRule          (NotImplementedError)  an operation has no rule
├── ThreadLost      (RuntimeError)         the output does not descend from the input
├── VerificationError (ArithmeticError)    an explanation would not be one of what the network does
├── OutputError     (OSError)              a result cannot be written or read back
└── MissingExtra    (ImportError)          an optional dependency is not installed
"""

from __future__ import annotations

from .printable import printable

LONGEST = 4000  # characters of a part: more is never read, and is what somebody else's file made long


class PellucidError(Exception):
    """Something was asked that cannot be done; the message says what to do instead.

    Arguments:
        asked: What was asked for, in the user's words.
        found: What was found instead: names, shapes, values.
        why: Why the two do not go together.
        do: What to do next.

    Example:
        >>> print(TargetError("logit(1000)", "outputs of shape (8, 1000)", "classes run 0-999", "Ask for one of those."))
        logit(1000): found outputs of shape (8, 1000); classes run 0-999. Ask for one of those.
    """

    def __init__(self, asked: str, found: str, why: str, do: str) -> None:
        asked, found, why, do = (printable(cut(part)) for part in (asked, found, why, do))
        super().__init__(f"{asked}: found {found}; {why}. {do}")
        self.asked, self.found, self.why, self.do = asked, found, why, do

    def __reduce__(self) -> tuple[type[PellucidError], tuple[str, str, str, str]]:
        """Errors cross processes whole."""
        return type(self), (self.asked, self.found, self.why, self.do)


def cut(text: str) -> str:
    """The text, or its beginning and its end."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 200]} ... {text[-100:]}"


class PictureError(PellucidError, ValueError):
    """A picture cannot be read as the model's input."""


class ModelError(PellucidError, ValueError):
    """A model cannot be loaded, or cannot be explained in the state it is in."""


class InputError(PellucidError, ValueError):
    """An input tensor does not fit the model, or holds values that are not numbers."""


class SampleError(InputError, IndexError):
    """A batch has fewer samples than that."""


class TargetError(PellucidError, ValueError):
    """The target does not name one number of the model's output."""


class WhereError(PellucidError, LookupError):
    """An address matches no value, or more than one, of what the model computed."""


class MethodError(PellucidError, LookupError):
    """No method of that name, or not one that can do what was asked."""


class NoRule(PellucidError, NotImplementedError):
    """An operation on the path from the output to the input has no rule."""


class ThreadLost(PellucidError, RuntimeError):
    """The output does not descend from the input: something left PyTorch's dispatcher on the way."""


class VerificationError(PellucidError, ArithmeticError):
    """A check against the network failed: the explanation would not be one of what the network does."""


class OutputError(PellucidError, OSError):
    """A result cannot be written or read back; nothing half-written is left behind."""


class MissingExtra(PellucidError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


def error_to_dict(error: Exception) -> dict[str, str]:
    """An error as plain data, one of ours with its four parts."""
    parts = {part: str(getattr(error, part)) for part in ("asked", "found", "why", "do") if hasattr(error, part)}
    return {"kind": type(error).__name__, "message": str(error)} | parts
