"""Token ids as the input: a model as a function of the embedding it looks up for them, where whole numbers become real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch

from pellucid.core.draws import drawing_apart, draws
from pellucid.core.intercept import InterceptMode
from pellucid.errors import InputError, PellucidError
from pellucid.model import Model
from pellucid.model.keywords import ForwardWithKeywords
from pellucid.model.outputs import main_output, with_batch_axis
from .lookups import EmbeddingLookups, Lookup
from .op import Tape
from .recording.plain_kernels import plain_kernels
from .recording.record import closed, watching
from .recording.recorder import Recorder
from .recording.retention import room
from .recording.storage import storage_of
from .unread import check_length, unread


@dataclass(frozen=True, eq=False)
class Embedded:
    """A model that takes the embedding of its tokens in place of their ids.

    The ids themselves stay: masks, positions and whatever else is computed from them are those of the text, and constant.

    Arguments:
        model: The model as it is.
        ids: The ids, with shape (1, tokens) and whatever lies between; variants of their vectors share them.
        rows: Their embedding, with shape (1, tokens, entries); of several look-ups, side by side.
        lookups: The look-ups, in the order they happen.
        output: The model's output.
        largest_table: How many rows the largest of the tables has.
        held: What else is computed from the ids, in words.
        tables: Of everything that may have been a look-up, whether it was one.
        tapes: The tape of that forward pass, with the embedding as its input, where it was recorded and nobody took it yet.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Flatten(), torch.nn.Linear(6, 2)).eval()
        >>> from pellucid.model import load
        >>> text = embed(load(net), torch.tensor([[4, 1]]))
        >>> text.vectors.shape, torch.equal(text.forward(text.vectors), net(torch.tensor([[4, 1]])))
        (torch.Size([1, 2, 3]), True)
    """

    model: Model
    ids: Tensor
    rows: Tensor
    lookups: tuple[Lookup, ...]
    output: Any
    largest_table: int = 0
    held: tuple[str, ...] = ()
    tables: tuple[bool, ...] = ()
    tapes: list[Tape] = field(default_factory=list)

    @property
    def vectors(self) -> Tensor:
        """The embedding.

        Raises:
            InputError: the ids are looked up in no table.
        """
        if self.lookups:
            return self.rows
        raise InputError(
            f"An explanation of {self.ids.dtype} numbers", "that the model looks them up in no table, each by itself",
            "slopes are defined for real numbers: they end where whole ones become real, at an embedding, or at x.float()",
            "Take numbers away instead, and say which stands in their place: "
            "method=pl.perturb.feature_ablation(imputer=0), or pl.perturb.shapley(imputer=0).",
        )  # fmt: skip

    def forward(self, vectors: Tensor) -> Any:
        """The model's output for other vectors, any number of variants. Tokens whose vectors are NaN are removed."""
        if any_removed(vectors):
            return shorter(self._run, self.ids, vectors, ~vectors.detach().isnan().any(-1))
        return self._run(self.ids.expand(len(vectors), *self.ids.shape[1:]).clone(), vectors)

    def _run(self, ids: Tensor, vectors: Tensor, places: Tensor | None = None) -> Any:
        lookups = EmbeddingLookups(ids, vectors, self.lookups, self.tables)
        forward = self.model.forward if places is None else model_at(self.model, places).forward
        with InterceptMode(lookups):
            output = forward(ids)
        lookups.check()
        return output

    def handle(self) -> Model:
        """The same as a `Model` of real inputs, for methods."""
        return replace(self.model, forward=self.forward, preprocess=None)

    def difference(self, other: Tensor) -> tuple[Tensor, Tensor]:
        """The main outputs for other ids: as the model has them, and with only the rows of the other ids, all else held."""
        with torch.no_grad(), drawing_apart(self.model, other.device):
            return main_output(run_other(self.model, other.clone())), main_output(
                self.forward(embed_other(self.model, other).vectors)
            )


def embed_other(model: Model, ids: Tensor) -> Embedded:
    """A model as a function of the embedding of other ids than the text's.

    Raises:
        InputError: the model does not take them.
    """
    with _refusals(model, ids):
        return embed(model, ids)


def run_other(model: Model, ids: Tensor) -> Any:
    """The model's output for other ids than the text's.

    Raises:
        InputError: the model does not take them.
    """
    with _refusals(model, ids):
        return model.forward(ids)


@contextmanager
def _refusals(model: Model, ids: Tensor) -> Iterator[None]:
    """Say of what a model cannot do with other ids than the text's that it is these that it refuses."""
    try:
        yield
    except PellucidError:
        raise
    except IndexError as error:
        raise unread(model, ids, error) from None
    except (ValueError, KeyError, AssertionError, RuntimeError) as error:
        if "memory" in str(error).lower():
            raise
        raise InputError(
            "The text with other tokens in the place of its own", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            "the model refuses it, as one does that needs certain tokens, such as that at the end",
            "Keep these: load it with preprocess=pl.Text(tokenizer), or number what may go, -1 for what stays: "
            "pl.perturb.feature_ablation(torch.tensor([-1, 0, 1, 2, -1]), imputer=5).",
        ) from None  # fmt: skip


def model_at(model: Model, places: Tensor) -> Model:
    """The model for the tokens at some places alone, with what is given beside those, one row of them for each variant.

    Raises:
        InputError: it is not known what is left of that for fewer tokens.
    """
    forward = model.forward
    if not isinstance(forward, ForwardWithKeywords):
        return model
    if not forward.keywords.divisible:
        raise InputError(
            f"a shorter text beside {', '.join(forward.keywords.values)}", "a mask over pairs of tokens",
            "what is left of it for fewer tokens is not known", 'Use semantics="replace".',
        )  # fmt: skip
    return replace(model, forward=forward.at(places))


def any_removed(vectors: Tensor) -> bool:
    """Whether any token is left out. What is read here is no decision of the model, so that nobody who watches it sees it."""
    with no_dispatch():
        return bool(vectors.detach().isnan().any())


def shorter(run: Callable[[Tensor, Tensor, Tensor], Any], ids: Tensor, vectors: Tensor, kept: Tensor) -> Tensor:
    """The main output for shorter texts, those of one length together.

    The output of a language model at a removed token is that at the last token before it. Of a text from which everything is
    removed the first token is left, with a vector of zeros.
    """
    empty = ~kept.any(1)
    vectors, kept = vectors.clone(), kept.clone()
    vectors[empty, 0], kept[empty, 0] = 0.0, True
    lengths, outputs = kept.sum(1), [vectors[0]] * len(vectors)
    ids = ids.expand(len(vectors), -1)
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero().flatten()
        own = kept[rows]
        left = ids[rows][own].reshape(-1, length), vectors[rows][own].reshape(len(rows), length, -1)
        made = main_output(run(*left, own.nonzero()[:, 1].reshape(-1, length)))
        for row, tokens_kept, output in zip(rows.tolist(), own, made, strict=True):
            reads = made.dim() == 3 and made.shape[1] == length
            outputs[row] = output[(tokens_kept.cumsum(0) - 1).clamp(min=0)] if reads else output
    return torch.stack(outputs)


@torch.no_grad()
def embed(model: Model, ids: Tensor) -> Embedded:
    """A model as a function of the embedding of these ids.

    Raises:
        InputError: they are outside the model's table, or more than it has positions for, or its forward pass fails on them.
    """
    if ids.is_cuda:  # an index outside a table ends a process on a GPU
        check_length(model, ids)
    wanted = _recording.get()
    recorded = _recorded(model, ids.clone()) if wanted and wanted.pop() else None
    if recorded is not None:
        return recorded
    lookups = EmbeddingLookups(copy := ids.clone(), names=_names(model))
    try:
        with plain_kernels(model.module), drawing_apart(model, ids.device), InterceptMode(lookups):
            output = model.forward(copy)
    except (torch.OutOfMemoryError, PellucidError):
        raise
    except (IndexError, RuntimeError, ValueError, TypeError) as error:
        raise unread(model, ids, error) from error
    return _embedded(model, ids, lookups, output)


def _embedded(model: Model, ids: Tensor, lookups: EmbeddingLookups, output: Any) -> Embedded:
    rows = torch.cat(lookups.rows, -1) if lookups.rows else torch.zeros(*ids.shape, 0, device=ids.device)
    held = tuple(dict.fromkeys(lookups.held))
    return Embedded(model, ids, rows, tuple(lookups.plan), output, lookups.largest, held, tuple(lookups.tables))


_recording: ContextVar[list[bool] | None] = ContextVar("recording", default=None)


@contextmanager
def recording_text(on: bool) -> Iterator[None]:
    """Keep the tape of the text that is embedded first in this block: one pass serves to embed it and to walk back through it."""
    token = _recording.set([on])
    try:
        yield
    finally:
        _recording.reset(token)


def _recorded(model: Model, ids: Tensor) -> Embedded | None:
    """The same as `embed`, with the tape; None where one pass does not do: several look-ups, random numbers, what is refused."""
    recorder = Recorder(room(ids.device))
    lookups = EmbeddingLookups(ids, names=_names(model), opened=recorder.open)
    try:
        drawing = drawing_apart(model, ids.device)
        with plain_kernels(model.module), drawing, watching(model.module, recorder), InterceptMode(lookups):
            output = model.forward(ids)
        tape = closed(recorder, with_batch_axis(output, len(ids)), model.module)
    except Exception:  # said of a plain pass
        return None
    if len(lookups.plan) != 1 or draws(model) is not False:
        return None
    embedded = _embedded(model, ids, lookups, output)
    embedded.tapes.append(tape)
    return embedded


def _names(model: Model) -> dict[int, str]:
    """The paths of the model's parameters, by what they are stored in."""
    named = () if model.module is None else (*model.module.named_parameters(), *model.module.named_buffers())
    return {storage_of(tensor): name for name, tensor in named}
