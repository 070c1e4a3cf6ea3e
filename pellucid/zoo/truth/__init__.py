"""Truth: samples of which it is known what an answer has to be made of, without a download. What a problem is: problem.py.

formulas     a formula with a secret: exact Shapley values
planted      networks built by hand: what cannot matter, exactly
shapes       scenes and a question about one of their shapes
pasted       objects on scenes, two labels for the same pictures
birds        things of five parts, each of which can be taken off
tetrominoes  patterns in noise, with suppressors
tabular      Gaussians: exact values of two games
grammar      sentences whose telling words are known, with signs
watermark    a mark that comes with one class
templates    what excites a network most, in closed form
hidden       parts behind occluders
"""

from .birds import birds, sufficient
from .formulas import all_of, any_of, piecewise_linear, products, shapley_values, two_patches, weighted_sum
from .grammar import grammar, words
from .hidden import OCCLUDERS, hidden, hidden_net
from .learn import accuracy, convnet, dense, fit, learn, reader, remembering, suited
from .pasted import model_contrast, pasted
from .planted import planted_patterns, planted_tokens
from .problem import Problem
from .shapes import shapes
from .tabular import clusters, conditional_shapley, gaussian
from .templates import cosine, templates
from .tetrominoes import tetrominoes
from .watermark import pasted_mark, watermark

__all__ = [
    "OCCLUDERS",
    "Problem",
    "accuracy",
    "all_of",
    "any_of",
    "birds",
    "clusters",
    "conditional_shapley",
    "convnet",
    "cosine",
    "dense",
    "fit",
    "gaussian",
    "grammar",
    "hidden",
    "hidden_net",
    "learn",
    "model_contrast",
    "pasted",
    "pasted_mark",
    "piecewise_linear",
    "planted_patterns",
    "planted_tokens",
    "products",
    "reader",
    "remembering",
    "shapes",
    "shapley_values",
    "sufficient",
    "suited",
    "templates",
    "tetrominoes",
    "two_patches",
    "watermark",
    "weighted_sum",
    "words",
]
