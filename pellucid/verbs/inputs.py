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
from pellucid.model import Model, Preprocess, Text
from pellucid.model.modality import Modality, MultiInput
from pellucid.model.modality.tokens import Tokens, from_ids
from pellucid.model.multi_input import Inputs, PackedForward, input_layout, is_multi_input, pack, single_sample
from pellucid.model.outputs import main_output
from pellucid.tape.token_inputs import TokenizedText, tokenized_text


@dataclass(frozen=True, eq=False)
class Batch:
    """What is to be explained.

    Arguments:
        model: A model of one tensor: of several inputs, those that are explained are packed into it.
        x: The batch.
        picture: The pixels behind it, where it was given as a picture.
        subject: What its entries are about, where that is known.
        keywords: What the model is given beside token ids, by keyword, with a number for every token.
        given: All of it, where it was given by keyword with `input_ids`, as it was given.
        padded: Whether padding was put there by us, since texts of several lengths were read together.
    """

    model: Model
    x: Tensor
    picture: NDArray[np.uint8] | None = None
    subject: Modality | None = None
    keywords: Mapping[str, Tensor] | None = None
    given: Mapping[str, Tensor] | None = None
    padded: bool = False

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
        return tuple(tokenized_text(model, self.x, number, tokens, self.keywords) for number, model in enumerate(models))

    def own_output(self, number: int | None = None, *, seed: int | None = None) -> Tensor:
        """The model's main output for the input as it was given, by one plain call of it: nothing cut, embedded or dropped.

        Arguments:
            number: Which sample is wanted; None: all. Texts that were read together are each its own input.
            seed: Of the random numbers that the model draws, if it draws any; None: those that an explanation gets.
        """
        draws = drawing_apart(self.model, self.x.device) if seed is None else drawing_from(DeviceGenerators(seed))
        with torch.no_grad(), draws:
            if self.padded and number is not None:
                return main_output(self.model.forward(self.texts[number].embedded.ids)).detach()
            output = self.model.forward(self.x.clone()) if self.given is None else self.model.forward(**self.given)
        found = main_output(output).detach()
        return found if number is None else found[number : number + 1]

    def altered(self, number: int) -> bool:
        """Whether a text is not explained as it was given: padding was left out, or some of what was given beside it."""
        text = self.texts[number]
        return (not self.padded and len(text.places) != text.length) or len(self.given or ()) > len(self.keywords or ()) + 1

    def single_sample(self, number: int) -> Batch:
        """One sample alone. What it is about is said of the whole batch."""
        return replace(self, model=single_sample(self.model, number), x=self.x[number : number + 1], subject=None)


def read_inputs(model: Model, x: Any) -> Batch:
    """The batch to explain, from whatever it was given as.

    Raises:
        InputError: it is no batch of numbers, or cannot be read.
        PictureError: a picture cannot be read.
    """
    if isinstance(x, Mapping) and "input_ids" in x and all(map(_holds_integers, x.values())):
        return _tokenized(model, x)
    if is_multi_input(x) and not reads_rows(model):
        return _packed(model, x)
    if isinstance(x, Tensor):
        x = check_batch(x).to(model.device)
        return Batch(model, x, subject=_modality_of(model.preprocess, x))
    if reads_rows(model):
        inputs, subject = model.preprocess.read(x)
        inputs = inputs.to(model.device, model.dtype if inputs.is_floating_point() else None)
        return Batch(model, inputs, subject=subject, padded=not inputs.is_floating_point())
    return Batch(model, model.read(x), np.asarray(model.crop(x).convert("RGB")))


def _holds_integers(value: Any) -> bool:
    """Whether it holds whole numbers and nobody asked for it to be held: beside real ones, as of a picture, tokens are given."""
    real = value.is_floating_point() if isinstance(value, Tensor) else False
    return isinstance(value, (Tensor, list, tuple, np.ndarray)) and not real


def _tokenized(model: Model, values: Mapping[str, Any]) -> Batch:
    """What a tokenizer of Hugging Face returns: ids, a mask that says which are padding, and what else has a number per token."""
    ids = torch.as_tensor(values["input_ids"])
    if ids.is_floating_point() or ids.dim() != 2 or not ids.numel():
        raise InputError(
            "input_ids", f"{ids.dtype} of shape {tuple(ids.shape)}", "they are whole numbers, a row of them for every text",
            'Call the tokenizer with return_tensors="pt".',
        )  # fmt: skip
    others = {name: torch.as_tensor(value) for name, value in values.items() if name != "input_ids"}
    for name, value in others.items():
        if value.shape != ids.shape:
            raise InputError(
                f'"{name}" beside input_ids', f"shape {tuple(value.shape)}, and ids of shape {tuple(ids.shape)}",
                "what goes with tokens has a number for each of them", "Leave it out.",
            )  # fmt: skip
    mask = others.pop("attention_mask", None)
    tokens = model.preprocess.tokens(ids) if isinstance(model.preprocess, Text) else from_ids(ids)
    tokens = tokens if mask is None else tokens.with_padding(mask.tolist())
    keywords = {name: value.to(model.device) for name, value in others.items() if bool(value.any())}
    given = {name: torch.as_tensor(value).to(model.device) for name, value in values.items()}
    return Batch(model, ids.to(model.device), subject=tokens, keywords=keywords or None, given=given)


def reads_rows(model: Model) -> bool:
    """Whether the model says how something other than a picture becomes its input."""
    return hasattr(model.preprocess, "read")


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

    def read(how: Any, raw: Any) -> Tensor:
        if not isinstance(how, Preprocess):
            inputs: Tensor
            inputs, subject = how.read(raw)
            read_with[id(how)] = (None, subject)
            return inputs
        reader = replace(model, preprocess=how)
        read_with[id(how)] = (np.asarray(reader.crop(raw).convert("RGB")), None)
        return reader.read(raw)

    packed, x = pack(model, values, read)
    inputs = input_layout(packed)
    if inputs is None:
        picture, subject = read_with.get(id(packed.preprocess), (None, None))
        return Batch(packed, check_batch(x), picture, subject or _modality_of(packed.preprocess, x))
    parts = [read_with.get(id(side.preprocess), (None, None)) for side in inputs.sides]
    subjects = tuple(
        subject or _modality_of(side.preprocess, side.of(x)) for side, (_, subject) in zip(inputs.sides, parts, strict=True)
    )
    pictures = tuple(None if picture is None else torch.from_numpy(np.array(picture)) for picture, _ in parts)
    sides = MultiInput(tuple(side.name for side in inputs.sides), tuple(side.shape for side in inputs.sides), subjects, pictures)
    return Batch(packed, check_batch(x), subject=sides)


def _modality_of(how: Any, x: Tensor) -> Modality | None:
    """What a tensor is about, where the model says how raw things become it."""
    modality: Modality | None = how.modality(x) if hasattr(how, "modality") else None
    return modality
