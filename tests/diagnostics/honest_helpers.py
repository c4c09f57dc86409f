"""Inputs of HonestDiD's reference values, and R's random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]

PATHS = {
    "ehec": ("ehec_betahat.csv", "ehec_sigma.csv", 5, 2),
    "BC": ("bc_betahat.csv", "bc_sigma.csv", 4, 4),
    "TWFE": ("honest_mpdta_twfe_beta.csv", "honest_mpdta_twfe_sigma.csv", 3, 4),
    "CS": ("honest_mpdta_cs_beta.csv", "honest_mpdta_cs_sigma.csv", 3, 4),
}
"""Files and numbers of coefficients before and after the reference."""

CASES = [("ehec", "first"), ("ehec", "average"), ("BC", "first")]
CASES += [(name, which) for name in ("TWFE", "CS") for which in ("first", "average")]


def arrays(folder: Path, name: str) -> dict[str, Any]:
    """Arguments of `honest_did`."""
    beta, sigma, n_pre, n_post = PATHS[name]
    return {
        "beta": pd.read_csv(folder / beta)["beta"].to_numpy(),
        "sigma": pd.read_csv(folder / sigma).to_numpy(),
        "n_pre": n_pre,
        "n_post": n_post,
    }


def values_of_r(folder: Path, name: str, method: str, which: str) -> pd.DataFrame:
    """R HonestDiD 0.2.7 on R 4.2.2 (``M, lb, ub``): relmag_C-LF, relmag_Conditional or smoothness_FLCI."""
    if name == "ehec":
        table = pd.read_csv(folder / "ehec_reference.csv")
        kind = method.removesuffix("_C-LF").removesuffix("_FLCI")
        return table[table["kind"] == f"{kind} {which} post"].reset_index(drop=True)
    table = pd.read_csv(folder / "honest_reference.csv")
    prefix = "" if name == "BC" else f"{name} "
    chosen = table["method"] == f"{method}:{prefix}{which} post"
    return table[chosen & (table["dataset"] == ("BC" if name == "BC" else "mpdta"))].reset_index(drop=True)


def weights_of(which: str, n_post: int) -> Floats:
    return np.full(n_post, 1 / n_post) if which == "average" else np.eye(n_post)[0]


def normals_of_r(seed: int, count: int) -> Floats:
    """R's rnorm after set.seed: the Mersenne Twister, and inversion of two uniform numbers each."""
    state = seed
    for _ in range(50):
        state = (69069 * state + 1) % 2**32
    key = []
    for _ in range(625):
        state = (69069 * state + 1) % 2**32
        key.append(state)
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key[1:], np.uint32), "pos": 624}}
    uniform = twister.random_raw(2 * count) * 2.3283064365386963e-10
    big = 134217728
    return np.asarray(ndtri((np.floor(big * uniform[::2]) + uniform[1::2]) / big))


def moments(n_pre: int, n_post: int, m: float, step: int, sign: int) -> Floats:
    """Moment inequalities on the steps after the reference, as a matrix on the coefficients.

    Written out from the definition: step after +- the bound times the step before, rows (2 n_post, n).
    """
    n = n_pre + n_post
    differences = np.diff(np.eye(n + 1), axis=0)
    bound = m * sign * differences[step]
    rows = np.vstack([differences[n_pre:] - bound, -differences[n_pre:] - bound])
    return np.delete(rows, n_pre, axis=1)
