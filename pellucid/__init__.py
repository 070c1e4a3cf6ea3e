"""pellucid makes deep neural networks legible: what a network looks for, why it recommends what it does, and whether the answer
can be trusted.

The public names stand below, each once. They are imported when they are first used, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING

from pellucid.core.lazy import lazy

globals().update(lazy(__name__))

if TYPE_CHECKING:
    from . import (
        catalogue as catalogue,
        errors as errors,
        metrics as metrics,
        render as render,
        synth as synth,
        tape as tape,
        testing as testing,
        zoo as zoo,
    )
    from .catalogue.recipes import recipes as recipes
    from .core.progress import progress as progress
    from .core.version import __version__ as __version__
    from .errors import (
        InputError as InputError,
        MethodError as MethodError,
        MissingExtra as MissingExtra,
        ModelError as ModelError,
        NoRule as NoRule,
        OutputError as OutputError,
        PellucidError as PellucidError,
        PictureError as PictureError,
        TargetError as TargetError,
        ThreadLost as ThreadLost,
        VerificationError as VerificationError,
        WhereError as WhereError,
    )
    from .explanation.comparison import Agreement as Agreement, Comparison as Comparison
    from .explanation.explanation import Explanation as Explanation
    from .explanation.explanations import Explanations as Explanations
    from .explanation.ledger import Ledger as Ledger
    from .explanation.overview import Chart as Chart, Confusion as Confusion, Overview as Overview
    from .explanation.regions import Region as Region
    from .job import Job as Job
    from .job.audit.audit import Audit as Audit, audit as audit
    from .methods import CallablePackage, cam as cam, gradient as gradient, lrp as lrp, perturb as perturb
    from .model import (
        Column as Column,
        Columns as Columns,
        Model as Model,
        Preprocess as Preprocess,
        Signal as Signal,
        Spectrogram as Spectrogram,
        Text as Text,
        Vocabulary as Vocabulary,
        held as held,
        load as load,
    )
    from .model.where import Where as Where
    from .render.document import document as document
    from .render.report.report import Report as Report, report as report
    from .synth.examples.example import Example as Example, Examples as Examples
    from .synth.maximized import Maximized as Maximized
    from .synth.trust.trust import Trust as Trust
    from .tape import record as record
    from .target import (
        Target as Target,
        box as box,
        channel as channel,
        detection as detection,
        direction as direction,
        energy as energy,
        generated as generated,
        log_odds as log_odds,
        logit as logit,
        mask as mask,
        output as output,
        probability as probability,
        sequence as sequence,
        similarity as similarity,
        step as step,
        token as token,
    )
    from .target.selection import area as area, channels as channels, heads as heads, positions as positions
    from .target.true_class import true_class as true_class
    from .verbs import suites
    from .verbs.auto import Auto as Auto
    from .verbs.compare import compare as compare
    from .verbs.compile import compile as compile
    from .verbs.concepts import Concept as Concept, Concepts as Concepts, concepts as concepts
    from .verbs.confusion import confusion as confusion
    from .verbs.evaluate import evaluate as evaluate
    from .verbs.examples import examples as examples
    from .verbs.explain import explain as explain
    from .verbs.hide import HidingTest as HidingTest, hide as hide
    from .verbs.inspect import Card as Card, inspect as inspect
    from .verbs.maximize import maximize as maximize
    from .verbs.overview import overview as overview
    from .verbs.suites import hidden_parts as hidden_parts, pasted_object as pasted_object
    from .verbs.verify import Claim as Claim, Verification as Verification, verify as verify
    from .zoo import truth as truth

    methods: CallablePackage  # pl.methods() lists them
    suite = suites
