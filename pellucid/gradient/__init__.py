"""Explanation by gradients."""

from .saliency import Gradient, GradientXInput, Saliency, Sensitivity

__all__ = ["Gradient", "GradientXInput", "Saliency", "Sensitivity"]
