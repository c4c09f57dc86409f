"""Inference on arrays: each function takes arrays and returns a number or a frozen object.

The methods with options of their own (`Permutation`, `Wild`, ...) are what `Estimate.with_inference` takes.
"""

from clsimpact.inference.assignments import Assignments
from clsimpact.inference.draws import Drawn, Line
from clsimpact.inference.equivalence import Equivalence, non_inferiority, two_one_sided, two_one_sided_draws
from clsimpact.inference.few_treated import FewTreated, conley_taber, ferman_pinto
from clsimpact.inference.influence import Adjusted, Influence, Uncertainty
from clsimpact.inference.linear import LinearForm, Moments, moments_of
from clsimpact.inference.methods import ConleyTaber, FermanPinto, Multiplier, Permutation, Wild
from clsimpact.inference.multiplicity import critical_values, holm, max_t, min_p, romano_wolf
from clsimpact.inference.multiplier import multiply
from clsimpact.inference.random_effects import imbens_kolesar
from clsimpact.inference.randomisation import permute, permute_wald
from clsimpact.inference.sandwich import KINDS, Counts, Covariance, sandwich, satterthwaite
from clsimpact.inference.wild import RowForm, joint_wild, wild

__all__ = [
    "KINDS",
    "Adjusted",
    "Assignments",
    "ConleyTaber",
    "Counts",
    "Covariance",
    "Drawn",
    "Equivalence",
    "FermanPinto",
    "FewTreated",
    "Influence",
    "Line",
    "LinearForm",
    "Moments",
    "Multiplier",
    "Permutation",
    "RowForm",
    "Uncertainty",
    "Wild",
    "conley_taber",
    "critical_values",
    "ferman_pinto",
    "holm",
    "imbens_kolesar",
    "joint_wild",
    "max_t",
    "min_p",
    "moments_of",
    "multiply",
    "non_inferiority",
    "permute",
    "permute_wald",
    "romano_wolf",
    "sandwich",
    "satterthwaite",
    "two_one_sided",
    "two_one_sided_draws",
    "wild",
]
