"""pellucid makes deep neural networks legible: what a network looks for, why it recommends what it does, and whether the answer
can be trusted.

The public names stand below, each once. They are imported when they are first used, so that importing the package costs nothing.
"""

from typing import TYPE_CHECKING

from pellucid.core.lazy import lazy

globals().update(lazy(__name__))

if TYPE_CHECKING:
    from . import catalogue as catalogue
    from . import errors as errors
    from . import metrics as metrics
    from . import render as render
    from . import synth as synth
    from . import tape as tape
    from . import testing as testing
    from . import zoo as zoo
    from .catalogue.recipes import recipes as recipes
    from .core.version import __version__ as __version__
    from .errors import InputError as InputError
    from .errors import MethodError as MethodError
    from .errors import MissingExtra as MissingExtra
    from .errors import ModelError as ModelError
    from .errors import NoRule as NoRule
    from .errors import OutputError as OutputError
    from .errors import PellucidError as PellucidError
    from .errors import PictureError as PictureError
    from .errors import TargetError as TargetError
    from .errors import ThreadLost as ThreadLost
    from .errors import WhereError as WhereError
    from .explanation.comparison import Agreement as Agreement
    from .explanation.comparison import Comparison as Comparison
    from .explanation.explanation import Explanation as Explanation
    from .explanation.ledger import Ledger as Ledger
    from .explanation.regions import Region as Region
    from .methods import CallablePackage
    from .methods import cam as cam
    from .methods import gradient as gradient
    from .methods import lrp as lrp
    from .methods import perturb as perturb
    from .model import Column as Column
    from .model import Columns as Columns
    from .model import Model as Model
    from .model import Preprocess as Preprocess
    from .model import Signal as Signal
    from .model import Text as Text
    from .model import Vocabulary as Vocabulary
    from .model import held as held
    from .model import load as load
    from .model.where import Where as Where
    from .synth.examples.example import Example as Example
    from .synth.examples.example import Examples as Examples
    from .synth.maximized import Maximized as Maximized
    from .synth.trust.trust import Trust as Trust
    from .tape import record as record
    from .target import Target as Target
    from .target import box as box
    from .target import channel as channel
    from .target import detection as detection
    from .target import direction as direction
    from .target import energy as energy
    from .target import log_odds as log_odds
    from .target import logit as logit
    from .target import mask as mask
    from .target import output as output
    from .target import probability as probability
    from .target import similarity as similarity
    from .target import step as step
    from .target import token as token
    from .target.selection import area as area
    from .target.selection import channels as channels
    from .target.selection import heads as heads
    from .target.selection import positions as positions
    from .verbs import suites
    from .verbs.auto import Auto as Auto
    from .verbs.compare import compare as compare
    from .verbs.concepts import Concept as Concept
    from .verbs.concepts import Concepts as Concepts
    from .verbs.concepts import concepts as concepts
    from .verbs.evaluate import evaluate as evaluate
    from .verbs.examples import examples as examples
    from .verbs.explain import explain as explain
    from .verbs.inspect import Card as Card
    from .verbs.inspect import inspect as inspect
    from .verbs.maximize import maximize as maximize
    from .verbs.suites import hidden_parts as hidden_parts
    from .verbs.suites import pasted_object as pasted_object
    from .zoo import truth as truth

    methods: CallablePackage  # pl.methods() lists them
    suite = suites
