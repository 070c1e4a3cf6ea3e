"""The lists that name everything: methods, recipes, metrics. Importing them brings neither torch nor what they name."""

from .entry import Entry
from .methods import METHODS, method
from .metrics import METRICS, metric
from .recipes import RECIPES, recipe

__all__ = ["METHODS", "METRICS", "RECIPES", "Entry", "method", "metric", "recipe"]
