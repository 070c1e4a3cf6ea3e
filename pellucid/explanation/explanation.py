"""What a method answered: raw values for every sample, with all that is needed to read, paint and repeat them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.core.displayed import Displayed
from pellucid.core.formats import frame, load, plot, save
from pellucid.core.numbers import figure
from pellucid.core.one_line import cut
from pellucid.errors import InputError, SampleError
from pellucid.errors.printable import make_printable
from pellucid.model.modality import Generated, Matrix, Modality, MultiInput, Piece, Series, Tokens
from . import sinks, uncertainty
from .ledger import Ledger
from .regions import LEAST, SMOOTH, Region, check_share, connected, finer, labels_of, segments
from .time_frequency import WINDOW_S, over_frequencies, refusal

Contrast = tuple[tuple[str, float], tuple[str, float]]  # two things by name and by score
Choices = tuple[tuple[int, str, float], ...]  # classes by index, label and probability, the most probable first


@dataclass(frozen=True, eq=False)
class Explanation(Displayed):
    """Which parts of the input speak for the target, which against, and by how much.

    Arguments:
        values: Raw and never normalised, shaped like the input (or like the value named by `at`), batch first.
        output: The target's value per sample, with shape (batch,).
        target: What was explained, in words: 'logit 285 "Egyptian cat"'.
        method: The method's catalogue name: "lrp.epsilon_plus".
        signed: Whether negative values mean evidence against; if not, values only tell how much.
        notes: Sentences a reader of the picture has to know; they end the caption.
        ledger, error, shared, through: As in `Attribution`.
        provenance: What it takes to repeat this: versions, model, options, seed. Plain JSON.
        picture: The pixels the model saw, with shape (height, width, 3) shared by all samples, or one per sample
            with shape (batch, height, width, 3).
        at: The value inside the model that `values` belong to; None is the input.
        classes: The first sample's top classes: (index, label, probability).
        targets: One target per sample where they differ; empty where `target` holds for all.
        forwards: How many samples went through the network; 0 where they were not counted.
        subject: What the values are about, where it is no picture: tokens of a text, a row of a table, a series.
        adds: Whether the values add up: to the score, or to how far it lies above a baseline's, less what was lost on the way.
        doubts: What may make the values wrong, known from the method or from checks against the network; part of `warnings`.
        contrast: Of a difference of two scores, for every sample what positive values speak for and what negative ones do, each
            with its score: (('" Mary"', 23.4), ('" John"', 18.1)). Empty where one score is explained.
        choices: The top classes of every sample of a batch, each as `classes`; empty where they are not known, or of one sample.
        names: What each sample is called, where it came as one of many: its file, its row. Empty where nothing is known.
        labels: What each sample truly is, where the data say it, as the model calls it. Empty where nothing is known.

    Example:
        >>> e = Explanation(torch.tensor([[[[2.0, -1.0], [0.5, 0.0]]]]), torch.tensor([1.5]), "logit 0", "gradient_x_input", True)
        >>> e
        Explanation(gradient_x_input -> logit 0 = 1.50, values (1, 1, 2, 2))
        >>> e.mask(top=0.25)
        tensor([[ True, False],
                [False, False]])
    """

    kind: ClassVar[str] = "explanation"

    values: Tensor
    output: Tensor
    target: str
    method: str
    signed: bool
    ledger: Ledger | None = None
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    picture: NDArray[np.uint8] | None = None
    at: str | None = None
    classes: Choices = ()
    targets: tuple[str, ...] = ()
    error: Tensor | None = None
    shared: bool = False
    forwards: int = 0
    subject: Modality | None = None
    adds: bool = False
    through: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    contrast: tuple[Contrast, ...] = ()
    choices: tuple[Choices, ...] = ()
    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        make_printable(self, "target", "method", "notes", "doubts", "at", "classes", "targets", "through", "contrast")
        make_printable(self, "choices", "names", "labels")

    def __len__(self) -> int:
        """How many samples were explained."""
        return len(self.values)

    def __getitem__(self, sample: int) -> Explanation:
        """One sample as an explanation of its own, a view of these values that is made once; iterating goes through all samples.

        Raises:
            SampleError: there are not so many. It is an `IndexError`, too.
        """
        if not -len(self) <= sample < len(self):
            found, do = f"an explanation of {len(self)} sample(s)", f"Ask for one of 0-{len(self) - 1}."
            raise SampleError(f"sample {sample}", found, "there is no such sample", do)
        sample %= len(self)
        if sample not in self._samples:
            self._samples[sample] = self._sample(sample) if len(self) > 1 or self.targets else self
        return self._samples[sample]

    def __iter__(self) -> Iterator[Explanation]:
        return map(self.__getitem__, range(len(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Views of single samples stay where they are when this is copied or sent."""
        return {name: value for name, value in vars(self).items() if name != "_samples"}

    def __repr__(self) -> str:
        what = self.headline() if len(self) == 1 else f"{self.method} -> {self.target}"
        return cut(f"Explanation({what}, values {tuple(self.values.shape)})")

    def headline(self, sample: int = 0) -> str:
        """Method, target and the target's value: `lrp.zero -> logit 7 = 1.50`."""
        return f"{self.method} -> {self.equation(sample)}"

    def equation(self, sample: int = 0) -> str:
        """Target and the target's value: `logit 7 = 1.50`."""
        e = self[sample]
        passed = f", through {e.through[0]}" if e.through else ""
        return f"{e.target} = {figure(float(e.output))}{passed}"

    def sentence(self, sample: int = 0) -> str:
        """Headline and ledger of one sample, what is compared, the share of each input, sinks, the error of what was sampled."""
        e = self[sample]
        sums = e.signed and e.adds and not e.shared
        shares = e.subject.shares(e.values[0]) if sums and isinstance(e.subject, MultiInput) else ""
        apart = sinks.sentence(e.sinks(), float(e.heat().sum()), signed=e.signed)
        return " ".join(filter(None, (f"{e.headline()}{e._books()}.", e._sides(), shares, apart, e.exactness())))

    def exactness(self, sample: int = 0) -> str:
        """The standard errors in words; "" where nothing was sampled."""
        error = self.heat_error(sample)
        return "" if error is None else uncertainty.sentence(self.heat(sample), error)

    def warnings(self, sample: int = 0) -> list[str]:
        """What makes this map less than it seems, one plain sentence each; sound maps have none."""
        e = self[sample]
        nothing = e.nothing()
        ledger = [] if e.ledger is None else e.ledger.warnings(0, float(e.values.abs().sum()))
        return [words for words in (f"No evidence found. {nothing}" if nothing else "", *e.doubts, e.doubt(), *ledger) if words]

    def nothing(self, sample: int = 0) -> str:
        """Why there is no evidence to show, as `uncertainty.nothing` decides; "" where there is some."""
        e = self[sample]
        seed = abs(float(e.ledger.passed)) if e.ledger else 0.0
        return uncertainty.nothing(e.heat(), e.values, seed, "what passed," if e.through else "the score")

    def doubt(self, sample: int = 0) -> str:
        """Says so where the map is under-sampled, as `uncertainty.doubt` decides; "" where it can be read as evidence."""
        e = self[sample]
        error = e.heat_error()
        if error is None or e.nothing():
            return ""
        return uncertainty.doubt(e.heat(), error, signed=e.signed, forwards=e.forwards)

    def reliability(self, sample: int = 0) -> float:
        """How far another seed would give the same map, as a correlation in [0, 1]; 1 where nothing was sampled."""
        error = self.heat_error(sample)
        return 1.0 if error is None else uncertainty.reliability(self.heat(sample), error, signed=self.signed)

    def caption(self, sample: int = 0) -> str:
        """What a reader has to know about one sample: headline, ledger, standard error, warnings, notes."""
        return " ".join([self.sentence(sample), *self.warnings(sample), *self.notes])

    def heat(self, sample: int = 0) -> Tensor:
        """One number per place, with shape (height, width), (1, length) for signals and rows: the sum over channels."""
        rows = self._laid(self[sample].values[0].detach())
        return rows.mean(0) if self.shared else rows.sum(0)

    def heat_error(self, sample: int = 0) -> Tensor | None:
        """The standard error of `heat`, as if channels erred independently; None where nothing was sampled."""
        error = self[sample].error
        if error is None:
            return None
        rows = self._laid(error[0].detach())
        return rows.mean(0) if self.shared else rows.square().sum(0).sqrt()

    def mask(self, top: float = 0.1, sample: int = 0) -> Tensor:
        """True on the share `top` of the places that speak most for the target; places that do not speak for it never are.

        Arguments:
            top: Share of all places, in (0, 1].
        """
        check_share("mask", top)
        heat = self.heat(sample)
        flat = heat.flatten().nan_to_num(nan=0.0)
        best = flat.sort(descending=True, stable=True).indices[: max(1, round(top * flat.numel()))]
        mask = torch.zeros_like(flat, dtype=torch.bool)
        mask[best] = flat[best] > 0
        return mask.reshape(heat.shape)

    def regions(
        self, top: float = 0.1, by: str | Tensor = "connected", sample: int = 0, *, smooth: float = SMOOTH, least: float = LEAST
    ) -> tuple[Region, ...]:
        """Where evidence lies together, most of it first; none where there is `nothing`, or where there is `doubt`.

        Arguments:
            top: Share of all places that regions may take up, in (0, 1].
            by: What a region is. "connected": strong places that touch, after a small blur. "superpixels": pieces of the
                picture, about 100. A tensor of labels with the shape of the map: its segments.
            smooth, least: How "connected" blurs and what it puts together, see `pellucid.explanation.regions.connected`.

        Raises:
            InputError: there is no picture to cut into superpixels, or the labels do not fit.
            MissingExtra: superpixels are asked for, and scikit-image is not installed.

        Example:
            >>> values = torch.tensor([[[[2.0, 2.0, 0.0, -1.0]] * 4]])
            >>> for found in Explanation(values, torch.ones(1), "logit 0", "gradient_x_input", True).regions(top=1, smooth=0):
            ...     print(found)
            Region(100.0% of what speaks for on 50.0% of the places, box (0, 0, 4, 2))
            Region(100.0% of what speaks against on 25.0% of the places, box (0, 3, 4, 4))
        """
        check_share("regions", top)
        e = self[sample]
        heat = e.heat().cpu().double().numpy()
        labels = labels_of(by, heat.shape, e.photograph())
        if e.nothing() or e.doubt():
            return ()
        heat = heat if e.signed else np.abs(heat)
        if labels is None:
            return connected(heat, top, smooth=smooth, least=least, neighbours=e.values.ndim > 2)
        return segments(finer(heat, *labels.shape), labels, top)

    def part(self, name: str) -> Explanation:
        """The explanation of one of several inputs, with its own shape; the ledger is that of all inputs, and stays with them.

        Raises:
            InputError: there is one input only, or none is called so.
        """
        if not isinstance(self.subject, MultiInput):
            do = "Its values are in .values; pl.explain(model, (x1, x2)) explains several inputs."
            raise InputError(f"the part {name!r} of an explanation", "one input", "it has no parts", do)
        number = self.subject.number(name)
        picture = self.subject.pictures[number]
        return replace(
            self,
            values=self.subject.cut(self.values, name),
            error=None if self.error is None else self.subject.cut(self.error, name),
            subject=self.subject.subjects[number],
            picture=None if picture is None else picture.numpy(),
            ledger=None,
            shared=self.shared and len(self.subject.shapes[number]) > 1,
            adds=False,  # to what the others give, too
            provenance=self._with_step(f".part({name!r})"),
            notes=(f'One of {len(self.subject.names)} inputs: "{name}".', *self.notes),
        )

    def spectrogram(self, *, window_s: float = WINDOW_S) -> Explanation:
        """Of a series, what each frequency at each time says, (batch, channel, frequency, frame).

        Arguments:
            window_s: How much time a frame sees, in seconds: more tells frequencies apart, less tells times apart.

        Returns:
            Values with the same sum, beside the levels of the sound in dB.

        Raises:
            InputError: it is no series.
            MethodError: the method's values do not add up.

        References:
            Explainable AI for time series via virtual inspection layers (Vielhaben et al., 2023),
            https://doi.org/10.48550/arXiv.2303.06365
        """
        subject = self.subject
        error = refusal(subject, self.method, adds=self.signed and self.adds)
        if error is not None or not isinstance(subject, Series):
            raise error or AssertionError("only a series is not refused")
        values, levels, note = over_frequencies(self.values, subject, window_s)
        step = ".spectrogram()" if window_s == WINDOW_S else f".spectrogram(window_s={window_s!r})"
        notes = (*self.notes, note)
        return replace(self, values=values, subject=levels, error=None, notes=notes, provenance=self._with_step(step))

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the inputs, where there are several."""
        return self.subject.names if isinstance(self.subject, MultiInput) else ()

    def tokens(self, sample: int = 0) -> tuple[Piece, ...]:
        """Every token of a text with its value, special ones too; padding is left out."""
        return self._pieces("token", sample)

    def words(self, sample: int = 0) -> tuple[Piece, ...]:
        """Words of a text, each with the sum of its tokens' values; special tokens stand alone."""
        return self._pieces("word", sample)

    def sentences(self, sample: int = 0) -> tuple[Piece, ...]:
        """Sentences of a text, as `words`."""
        return self._pieces("sentence", sample)

    def sinks(self, sample: int = 0) -> tuple[Piece, ...]:
        """Tokens of a text that take relevance without being evidence, see `pellucid.explanation.sinks`; of other inputs none."""
        if not isinstance(self.subject, Tokens):
            return ()
        row = self.heat(sample).flatten()
        found = sinks.sinks(row, self.subject.kinds[sample])
        return self.subject.sum_groups([(self.subject.spans[sample][place], (place,)) for place in found], row, sample)

    def matrix(self, prompt: int = 0) -> Matrix:
        """Of a generated text, what every new token of one prompt got from every token before it, with the names of both.

        Raises:
            InputError: no text was generated.
        """
        if not isinstance(self.subject, Generated):
            do = "Explain what a language model generates: pl.explain(model, prompt, pl.generated(20))."
            raise InputError("the matrix of an explanation", "no generated text", "only new tokens have rows", do)
        return self.subject.matrix(torch.stack([e.heat().flatten() for e in self]), prompt)

    def photograph(self, sample: int = 0) -> NDArray[np.uint8] | None:
        """The pixels the model saw of one sample, with shape (height, width, 3)."""
        picture = self[sample].picture
        return picture if picture is None or picture.ndim == 3 else picture[0]

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write by suffix (a key of `pellucid.core.formats.FORMATS`: .png, .npy, .csv ...), whole or not at all.

        Arguments:
            options: What the format takes; pictures and pages take `view="map,regions"`, see `pellucid.render.Shown`.

        Raises:
            OutputError: The suffix is unknown, the format takes no such option, or the place cannot be written.
        """
        return save(self, path, "explanation", **options)

    def frame(self) -> Any:
        """A line for each place of each sample, as a `pandas.DataFrame`: a token, a column of a table, else row and column of the
        map. Values are summed over channels, as they are drawn.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return frame(self, self.kind)

    def plot(self, ax: Any = None, *, sample: int = 0) -> Any:
        """Draw one sample into an axis of matplotlib: a map over its picture, bars for words or columns, a line for a series.

        Arguments:
            ax: The axis; None: the current one.

        Returns:
            The axis.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        return plot(self, self.kind, ax, sample=sample)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Explanation:
        """Read back what `save` wrote as .safetensors."""
        e: Explanation = load(path, "explanation")
        return e

    def _laid(self, values: Tensor) -> Tensor:
        """One sample's values with shape (channels, height, width); of signals and rows (channels, 1, length)."""
        if self.subject is not None:
            return self.subject.arrange(values)
        return values.flatten(0, -3) if values.ndim > 2 else values.reshape(-1, 1, values.shape[-1] if values.ndim else 1)

    def _pieces(self, by: str, sample: int) -> tuple[Piece, ...]:
        if not isinstance(self.subject, Tokens):
            found = "no text" if self.subject is None else self.subject.kind
            do = "Explain a text, with a model that says how it reads one: pl.load(net, preprocess=pl.Text(...))."
            raise InputError(f"the {by}s of an explanation", found, f"only texts have {by}s", do)
        return self.subject.sum_groups(self.subject.groups(by, sample), self.heat(sample).flatten(), sample)

    def _sample(self, sample: int) -> Explanation:
        here = slice(sample, sample + 1)
        return replace(
            self,
            values=self.values[here],
            output=self.output[here],
            target=self.targets[sample] if self.targets else self.target,
            ledger=None if self.ledger is None else self.ledger[sample],
            picture=self.picture if self.picture is None or self.picture.ndim == 3 else self.picture[sample],
            classes=self.choices[sample] if self.choices else self.classes if sample == 0 else (),
            choices=(),
            names=self.names[here],
            labels=self.labels[here],
            targets=(),
            error=None if self.error is None else self.error[here],
            forwards=round(self.forwards / len(self)),
            subject=None if self.subject is None else self.subject.take([sample]),
            through=self.through[here],
            contrast=self.contrast[here],
            provenance=self.provenance if len(self) == 1 else self._with_step(f"[{sample}]"),
        )

    def _with_step(self, step: str) -> dict[str, Any]:
        """The provenance of what is made of this explanation by one more step, in Python."""
        return self.provenance | {"then": [*self.provenance.get("then", ()), step]}

    @cached_property
    def _samples(self) -> dict[int, Explanation]:
        return {}

    def _sides(self) -> str:
        """What both signs speak for, where two scores are compared."""
        if not self.contrast:
            return ""
        (one, first), (other, second) = self.contrast[0]
        one, other = f"{one} ({figure(first)})", f"{other} ({figure(second)})"
        return (
            f"Positive values speak for {one}, negative ones for {other}." if self.signed else f"Compared are {one} and {other}."
        )

    def _books(self) -> str:
        """The ledger as it follows the headline."""
        if self.ledger is None:
            return ""
        seed, output = float(self.ledger.seed), float(self.output)
        start = "" if abs(seed - output) <= 1e-3 * abs(output) else f", from a relevance of {figure(seed)} at the output"
        return f"{start}: {self.ledger.sentence()}"
