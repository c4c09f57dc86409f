"""What two-way fixed effects adds up: its two-by-two comparisons, and the weights of its effects."""

from clsimpact.decomposition.bacon import BaconDecomposition, bacon
from clsimpact.decomposition.twfe_weights import TwfeWeights, twfe_weights

__all__ = ["BaconDecomposition", "TwfeWeights", "bacon", "twfe_weights"]
