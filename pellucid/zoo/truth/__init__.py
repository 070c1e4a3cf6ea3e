"""Problems with known ground truth, without a download. What a problem is: problem.py.

formulas     networks that compute a formula: exact Shapley values
planted      networks built by hand: what cannot matter is known exactly
shapes       scenes and a question about one of their shapes
pasted       objects on scenes, two labels for the same pictures
birds        objects of five parts, each of which can be removed
tetrominoes  patterns in noise, with suppressors
tabular      Gaussians: exact values of two games
grammar      sentences whose relevant words are known, with signs
watermark    a mark that comes with one class
templates    maximizing inputs in closed form
hidden       parts behind occluders
"""

from .birds import birds as birds, sufficient as sufficient
from .formulas import (
    all_of as all_of,
    any_of as any_of,
    piecewise_linear as piecewise_linear,
    products as products,
    shapley_values as shapley_values,
    two_patches as two_patches,
    weighted_sum as weighted_sum,
)
from .grammar import grammar as grammar, words as words
from .hidden import OCCLUDERS as OCCLUDERS, hidden as hidden, hidden_net as hidden_net
from .learn import (
    accuracy as accuracy,
    convnet as convnet,
    dense as dense,
    fit as fit,
    learn as learn,
    reader as reader,
    remembering as remembering,
    suited as suited,
)
from .pasted import model_contrast as model_contrast, pasted as pasted
from .planted import planted_patterns as planted_patterns, planted_tokens as planted_tokens
from .problem import Problem as Problem
from .shapes import shapes as shapes
from .tabular import clusters as clusters, conditional_shapley as conditional_shapley, gaussian as gaussian
from .templates import cosine as cosine, templates as templates
from .tetrominoes import tetrominoes as tetrominoes
from .watermark import pasted_mark as pasted_mark, watermark as watermark
