"""The lists that name everything: methods, recipes, metrics. Importing them brings neither torch nor what they name."""

from .entry import Entry as Entry
from .methods import METHODS as METHODS, method as method
from .metrics import METRICS as METRICS, metric as metric
from .recipes import RECIPES as RECIPES, recipe as recipe
