"""Batch: what a verb is given, read once: a model of one tensor, that tensor, and the pictures, texts or rows that it is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.core.draws import DeviceGenerators, drawing_apart, drawing_from
from pellucid.errors import InputError
from pellucid.model import Columns, Held, Model, Preprocess, Text
from pellucid.model.keywords import Keywords, is_mask, takes
from pellucid.model.modality import Modality, MultiInput
from pellucid.model.modality.tokens import Tokens, from_ids
from pellucid.model.multi_input import Inputs, PackedForward, input_layout, is_multi_input, pack, single_sample
from pellucid.model.readers.arrays import is_numbers
from pellucid.tape.token_inputs import TokenizedText, tokenized_text


@dataclass(frozen=True, eq=False)
class Batch:
    """What is to be explained.

    Arguments:
        model: A model of one tensor: of several inputs, those that are explained are packed into it.
        x: The batch.
        picture: The pixels behind it, where it was given as a picture.
        subject: What its entries are about, where that is known.
        keywords: What the model is given beside token ids, by keyword.
        padded: Whether padding was put there by us, since texts of several lengths were read together.
        notes: What is to be said of how it was read.
        warnings: What of that may make a map wrong.
    """

    model: Model
    x: Tensor
    picture: NDArray[np.uint8] | None = None
    subject: Modality | None = None
    keywords: Keywords | None = None
    padded: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def rowwise(self) -> bool:
        """Whether samples have to be explained one by one, since something that is not explained belongs to each of them."""
        if not self.x.is_floating_point():
            return True  # texts have lengths of their own
        inputs = getattr(self.model.forward, "inputs", None)
        return isinstance(inputs, Inputs) and inputs.held_per_sample

    @cached_property
    def texts(self) -> tuple[TokenizedText, ...]:
        """Every text of a batch of token ids, embedded; none where the batch holds real numbers."""
        if self.x.is_floating_point():
            return ()
        tokens = self.subject if isinstance(self.subject, Tokens) else None
        packed = isinstance(self.model.forward, PackedForward)
        models = (single_sample(self.model, number) if packed else self.model for number in range(len(self.x)))
        return tuple(
            tokenized_text(model, self.x, number, tokens, self.keywords, padding_given=not self.padded)
            for number, model in enumerate(models)
        )

    def own_output(self, number: int | None = None, *, seed: int | None = None) -> Any:
        """What the model returns for the input as it was given, by one plain call of it: nothing cut, embedded or dropped.

        Arguments:
            number: Which sample is wanted: texts that were read together are each its own input. Else the whole batch runs.
            seed: Of the random numbers that the model draws, if it draws any; None: those that an explanation gets.
        """
        draws = drawing_apart(self.model, self.x.device) if seed is None else drawing_from(DeviceGenerators(seed))
        with torch.no_grad(), draws:
            if self.padded and number is not None:
                return self.model.forward(self.texts[number].embedded.ids)
            return self.model.forward(self.x.clone(), **({} if self.keywords is None else self.keywords.values))

    def altered(self, number: int) -> bool:
        """Whether a text is not explained as it was given: padding was left out."""
        text = self.texts[number]
        return not self.padded and len(text.places) != text.length

    def single_sample(self, number: int) -> Batch:
        """One sample alone. What it is about is said of the whole batch."""
        packed = isinstance(self.model.forward, PackedForward)
        pixels = self.picture if self.picture is None or self.picture.ndim == 3 else self.picture[number]
        model = single_sample(self.model, number) if packed else self.model
        return replace(self, model=model, x=self.x[number : number + 1], picture=pixels, subject=None)


def read_inputs(model: Model, x: Any) -> Batch:
    """The batch to explain, from whatever it was given as.

    Raises:
        InputError: it is no batch of numbers, or cannot be read.
        PictureError: a picture cannot be read.
    """
    if isinstance(x, Batch):
        return replace(x, model=model)
    if isinstance(x, Mapping) and _is_tokenized(x):
        return _tokenized(model, x)
    if model.preprocess is None:
        model, x = as_tensor(model, x)
    if is_multi_input(x) and not reads_rows(model):
        return _packed(model, x)
    if isinstance(x, Tensor):
        x = in_precision(model, check_batch(x)).to(model.device)
        return Batch(model, x, subject=_modality_of(model.preprocess, x), notes=_notes_on_ids(model, x))
    if isinstance(model.preprocess, Text):
        return _from_texts(model, model.preprocess, x)
    if reads_rows(model):
        inputs, subject, notes = _reading(model.preprocess, x)
        inputs = inputs.to(model.device, model.dtype if inputs.is_floating_point() else None)
        return Batch(model, inputs, subject=subject, padded=not inputs.is_floating_point(), notes=notes)
    return Batch(model, model.read(x), np.asarray(model.crop(x).convert("RGB")))


def as_tensor(model: Model, x: Any) -> tuple[Model, Any]:
    """Numbers as a tensor, for a model that does not say how it reads anything; of a data frame the names of its columns, too."""
    if hasattr(x, "columns") and hasattr(x, "to_numpy"):
        names = list(map(str, x.columns))
        return replace(model, preprocess=Columns.named(names, source="the data frame")), x
    try:
        numbers = np.array(x) if isinstance(x, list) and is_numbers(x) else x
    except ValueError:
        why = "they make no table"
        raise InputError("a list of numbers", "rows of several lengths", why, "Give as many numbers in every row.") from None
    whole = isinstance(numbers, np.ndarray) and numbers.dtype.kind == "f"
    return model, torch.from_numpy(numbers.astype(np.float64)) if whole else x


def in_precision(model: Model, x: Tensor) -> Tensor:
    """Numbers of double precision, as NumPy and lists make them, in the precision of the model's weights, where it has others."""
    if x.dtype != torch.float64 or model.module is None:
        return x
    kinds = {one.dtype for one in (*model.module.parameters(), *model.module.buffers()) if one.is_floating_point()}
    return x.to(model.dtype) if kinds and torch.float64 not in kinds else x


def _from_texts(model: Model, how: Text, given: Any) -> Batch:
    """Texts by their tokenizer. Padding that makes a batch of them is nobody's; one to a fixed length is part of what is read."""
    parts = how.parts(given)
    ids, tokens = how.lay_out(parts)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    warnings = tuple(dict.fromkeys(warning for part in parts for warning in part.warnings))
    padded = how.fixed_length is None
    return Batch(model, ids.to(model.device), subject=tokens, padded=padded, notes=notes, warnings=warnings)


def _is_tokenized(values: Mapping[Any, Any]) -> bool:
    """Whether these are token ids and what goes with them; real numbers among them, but for masks, are inputs of their own."""
    others = any(isinstance(value, Held) or (_is_real(value) and not is_mask(str(name))) for name, value in values.items())
    return "input_ids" in values and not others


def _is_real(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind == "f")
    return isinstance(value, Tensor) and value.is_floating_point()


def _tokenized(model: Model, values: Mapping[str, Any]) -> Batch:
    """What a tokenizer of Hugging Face returns: ids, a mask that says which are padding, and whatever else the model is given."""
    ids = _as_tensor(values["input_ids"])
    if not isinstance(ids, Tensor) or ids.is_floating_point() or ids.dim() != 2 or not ids.numel():
        found = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"a {type(ids).__name__}"
        raise InputError(
            "input_ids", found, "they are whole numbers, a row of them for every text",
            'Call the tokenizer with return_tensors="pt".',
        )  # fmt: skip
    others = {name: _as_tensor(value) for name, value in values.items() if name != "input_ids"}
    for name, value in others.items():
        misfit = name == "attention_mask" and isinstance(value, Tensor) and value.dim() == 2 and value.shape != ids.shape
        if misfit or (name in ("labels", "label") and isinstance(value, Tensor) and value.dim() < 2):
            raise InputError(
                f'"{name}" beside input_ids', f"shape {tuple(value.shape)}, and ids of shape {tuple(ids.shape)}",
                "what goes with tokens has a number for each of them", "Leave it out.",
            )  # fmt: skip
    mask = others.get("attention_mask")
    tokens = model.preprocess.tokens(ids) if isinstance(model.preprocess, Text) else from_ids(ids)
    notes = () if mask is not None else _notes_on_ids(model, ids)
    if isinstance(mask, Tensor) and mask.dim() == 2:
        tokens = tokens.with_padding(mask.tolist())
    for name in [name for name, value in others.items() if not takes(model.forward, name) and _says_nothing(name, value)]:
        del others[name]
        notes = (*notes, f"{name} is left out, since the network does not take it.")
    keywords = {name: value.to(model.device) if isinstance(value, Tensor) else value for name, value in others.items()}
    return Batch(
        model, ids.to(model.device), subject=tokens, keywords=Keywords(keywords, *ids.shape) if keywords else None,
        notes=notes,
    )  # fmt: skip


def _as_tensor(value: Any) -> Any:
    """Numbers as a tensor; anything else as it is."""
    if isinstance(value, (list, tuple, np.ndarray)):
        try:
            return torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            return value
    return value


def _says_nothing(name: str, value: Any) -> bool:
    """Whether a network that does not take it computes as if it did: of a mask this is our own reading of the padding."""
    return name == "attention_mask" or (isinstance(value, Tensor) and not bool(value.any()))


def _notes_on_ids(model: Model, ids: Tensor) -> tuple[str, ...]:
    """What is to be said of ids without a mask."""
    whole = not ids.is_floating_point() and ids.dim() == 2
    return model.preprocess.notes_on_padding(ids) if whole and isinstance(model.preprocess, Text) else ()


def reads_rows(model: Model) -> bool:
    """Whether the model says how something other than a picture becomes its input."""
    return hasattr(model.preprocess, "read")


def _reading(how: Any, raw: Any) -> tuple[Tensor, Modality | None, tuple[str, ...]]:
    """Raw data as an input, what it is about, and what was done to it, where the reader says that."""
    if hasattr(how, "reading"):
        inputs, subject, notes = how.reading(raw)
        return inputs, subject, notes
    return (*how.read(raw), ())


def check_batch(x: Tensor) -> Tensor:
    """A batch of real numbers, or of the whole numbers of tokens, or a refusal."""
    if x.dim() < 2 or x.shape[0] == 0:
        raise InputError(
            "An explanation", f"a tensor of shape {tuple(x.shape)}", "the first axis counts the samples", "Add it: x[None]."
        )
    x = x.detach()
    if x.dtype == torch.bool or x.is_complex():
        raise InputError(
            "An explanation", f"a tensor of {x.dtype}",
            "relevance is shared over real numbers, or over the tokens that whole numbers stand for",
            "Pass what the model computes with: x.float(), or embeddings.",
        )  # fmt: skip
    return x


def _packed(model: Model, values: Any) -> Batch:
    """Several inputs as one."""
    read_with: dict[int, tuple[NDArray[np.uint8] | None, Modality | None]] = {}
    notes: dict[str, None] = {}

    def read(how: Any, raw: Any) -> Tensor:
        if not isinstance(how, Preprocess):
            inputs, subject, said = _reading(how, raw)
            notes.update(dict.fromkeys(said))
            read_with[id(how)] = (None, subject)
            return inputs
        reader = replace(model, preprocess=how)
        read_with[id(how)] = (np.asarray(reader.crop(raw).convert("RGB")), None)
        return reader.read(raw)

    packed, x = pack(model, values, read)
    inputs = input_layout(packed)
    if inputs is None:
        picture, subject = read_with.get(id(packed.preprocess), (None, None))
        subject = subject or _modality_of(packed.preprocess, x)
        return Batch(packed, check_batch(x), picture, subject, notes=tuple(notes))
    parts = [read_with.get(id(side.preprocess), (None, None)) for side in inputs.sides]
    subjects = tuple(
        subject or _modality_of(side.preprocess, side.of(x)) for side, (_, subject) in zip(inputs.sides, parts, strict=True)
    )
    pictures = tuple(None if picture is None else torch.from_numpy(np.array(picture)) for picture, _ in parts)
    sides = MultiInput(tuple(side.name for side in inputs.sides), tuple(side.shape for side in inputs.sides), subjects, pictures)
    return Batch(packed, check_batch(x), subject=sides, notes=tuple(notes))


def _modality_of(how: Any, x: Tensor) -> Modality | None:
    """What a tensor is about, where the model says how raw things become it."""
    modality: Modality | None = how.modality(x) if hasattr(how, "modality") else None
    return modality
