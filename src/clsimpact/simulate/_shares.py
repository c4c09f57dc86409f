"""What happens next to requests: the base shares of the twelve sequels, and how an effect moves them.

An effect is added to the share over both age bands. It is spread over the bands so that each keeps its room:
a fall in proportion to the band's share, a rise in proportion to what the band can give. What is neither
funded nor signposted takes up the difference, in proportion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clsimpact.errors import ClsimpactError, list_some
from clsimpact.simulate._areas import atoms
from clsimpact.simulate._draw import expit, paths, stream
from clsimpact.simulate.calibration import YEARS, calibration

__all__ = ["FUNDED", "PLANNED_ROOM", "SEQUEL_NAMES", "SIGNPOSTED", "base_shares", "between", "moved"]

Floats = NDArray[np.float64]

SEQUEL_NAMES: Final = tuple(calibration().sequels["names"])
_FUNDED_NAMES: Final = ("st_max", "nursing", "residential", "community", "prison")
FUNDED: Final = np.array([name in _FUNDED_NAMES for name in SEQUEL_NAMES])
SIGNPOSTED: Final = np.array([name == "signposted" for name in SEQUEL_NAMES])
REST: Final = ~FUNDED & ~SIGNPOSTED
_NOT_ASKED: Final = np.array([name in ("prison", "nhs") for name in SEQUEL_NAMES])
"""Not asked in 2014-15, the first year."""
_STEPS: Final = 60
"""Halvings of an interval of logits: 2 ** -60 of it is less than their rounding."""
_WIDE: Final = 12.0
"""Logits are shifted by no more than this."""
_LEAST: Final = 1e-12
"""A share below this is none: it has a logarithm all the same, and of a million people it is nobody."""
_ROUNDS: Final = 12
"""Times that shares are moved towards England's: each leaves a thirtieth of the gap, all of them 1e-15."""
_ROOM: Final = {"ordinary": (0.04, 0.84), "treated": (0.14, 0.76)}
_SIGNPOSTED_ROOM: Final = {"ordinary": (0.06, 0.08), "treated": (0.09, 0.13)}
PLANNED_ROOM: Final = {"ordinary": (0.03, 0.95), "treated": (0.24, 0.84)}
"""Between which bounds councils' shares lie before England's yearly change is added: funded; signposted (at
least so much, and so much left for the others); planned of reviewed. Treated ones have room for an effect."""


def national_mix() -> Floats:
    """Return England's shares of the sequels by year, age band and sequel.

    2014-15 and 2021-22 are published (2014-15 in part, and for both age bands together); between them the mix
    moves in a straight line, and after them it stays.
    """
    known = calibration().sequels
    last = np.array([known["mix_18_64"], known["mix_65_plus"]])
    requests = np.stack(
        [calibration().series(name) for name in ("requests_18_64", "requests_65_plus")], axis=1
    )
    weights = requests / requests.sum(axis=1, keepdims=True)
    pooled = weights[7] @ last
    first = last * (_first_pooled(pooled) / pooled)
    first /= first.sum(axis=1, keepdims=True)
    first = first * (_first_pooled(pooled) / np.maximum(weights[0] @ first, _LEAST))
    first /= first.sum(axis=1, keepdims=True)
    step = np.clip((np.array(YEARS) - 2014) / 7, 0.0, 1.0)[:, None, None]
    mix = (1 - step) * first + step * last
    return np.asarray(mix / mix.sum(axis=2, keepdims=True))


def _first_pooled(pooled: Floats) -> Floats:
    """Return the mix of 2014-15 over both age bands: what is published; the others share what is left."""
    told = calibration().sequels["first_mix"]
    found = np.where(_NOT_ASKED, 0.0, pooled)
    long_term = np.array([name in ("nursing", "residential", "community") for name in SEQUEL_NAMES])
    found[long_term] *= told["long_term"] / found[long_term].sum()
    named = long_term.copy()
    for column, name in enumerate(SEQUEL_NAMES):
        # "No services" of the publication holds those who died, too.
        if name in ("signposted", "low_level", "st_max"):
            found[column] = told[name]
            named[column] = True
    none = np.array([name in ("deceased", "no_service") for name in SEQUEL_NAMES])
    found[none] *= told["no_service"] / found[none].sum()
    named |= none
    found[~named] *= (1 - found[named].sum()) / found[~named].sum()
    return found


def _split(inside: Floats, spread: Floats, noise: Floats, weights: Floats) -> Floats:
    """Split a block by a mix with council noise, so that the weighted mean is the mix.

    Shapes: mix (years, ages, parts), noise (years, areas, ages, parts), weights (years, areas, ages).
    """
    target = inside / inside.sum(axis=2, keepdims=True)
    log = np.log(np.maximum(target, _LEAST))
    for _ in range(_ROUNDS):
        share = np.exp(log[:, None] + spread * noise)
        share /= share.sum(axis=3, keepdims=True)
        mean = (share * weights[..., None]).sum(axis=1) / weights.sum(axis=1)[..., None]
        log = log + np.log(np.maximum(target, _LEAST)) - np.log(np.maximum(mean, _LEAST))
    share = np.exp(log[:, None] + spread * noise) * (target > 0)[:, None]
    return np.asarray(share / share.sum(axis=3, keepdims=True))


def base_shares(
    seed: int, funded: Floats, signposted: Floats, requests: Floats, roomy: NDArray[np.bool_]
) -> Floats:
    """Return the shares of the sequels without any effect: years, areas, age bands, sequels.

    England's change from year to year is the same number of percentage points in every council, so that
    funded and signposted shares have parallel trends.

    Parameters
    ----------
    funded, signposted
        How councils differ, in logits: years, areas, age bands.
    requests
        Requests: years, areas, age bands.
    roomy
        Which areas must have room for an effect.
    """
    mix = national_mix()
    share_funded = between(funded, requests, mix[..., FUNDED].sum(axis=2), roomy, _ROOM)
    low, left = _bounds(roomy, _SIGNPOSTED_ROOM, share_funded.ndim)
    share_signposted = _parallel(
        signposted,
        requests,
        mix[..., SIGNPOSTED].sum(axis=2),
        lambda logits, age: (
            low[..., 0] + (1 - share_funded[..., age] - low[..., 0] - left[..., 0]) * expit(logits)
        ),
    )
    out = np.empty((*funded.shape, len(SEQUEL_NAMES)))
    out[..., SIGNPOSTED] = share_signposted[..., None]
    noise = _noise(seed)
    spread = np.array([calibration().sequels["spread"].get(name, 0.0) for name in SEQUEL_NAMES])
    rest = 1 - share_funded - share_signposted
    for block, size in ((FUNDED, share_funded), (REST, rest)):
        parts = _split(mix[..., block], spread[block], noise[..., block], requests * size)
        out[..., block] = size[..., None] * parts
    return out


def between(
    value: Floats,
    weights: Floats,
    target: Floats,
    roomy: NDArray[np.bool_],
    room: Mapping[str, tuple[float, float]],
) -> Floats:
    """Return shares between bounds whose weighted means are England's: years, areas, age bands.

    Logits are stretched by as much as the bounds of ordinary councils press the shares together.

    Parameters
    ----------
    value
        How councils differ, in logits.
    weights
        What shares are weighted by.
    target
        England's shares: years, age bands.
    roomy, room
        Bounds (``ordinary``, ``treated``) and who has which.
    """
    low, high = _bounds(roomy, room, value.ndim)
    width = room["ordinary"][1] - room["ordinary"][0]
    return _parallel(
        value / width,
        weights,
        target,
        lambda logits, _: low[..., 0] + (high - low)[..., 0] * expit(logits),
    )


def _bounds(
    roomy: NDArray[np.bool_], room: Mapping[str, tuple[float, float]], axes: int
) -> tuple[Floats, Floats]:
    wide = roomy.reshape((1, -1) + (1,) * (axes - 2))
    low, high = (np.where(wide, a, b) for a, b in zip(room["treated"], room["ordinary"], strict=True))
    return low, high


def _parallel(
    value: Floats, weights: Floats, target: Floats, share: Callable[[Floats, int], Floats]
) -> Floats:
    """Return shares whose weighted means are England's: one shift of logits, and one of points a year.

    The second is a few hundredths of a point; a share that it would push below zero is zero.
    """
    out = np.empty_like(value)
    for age in range(value.shape[2]):
        here, weight = value[..., age], weights[..., age]
        goal = float(target[:, age].mean())
        low, high = -_WIDE, _WIDE
        for _ in range(_STEPS):
            middle = (low + high) / 2
            mean = float((share(here + middle, age) * weight).sum() / weight.sum())
            low, high = (middle, high) if mean < goal else (low, middle)
        found = share(here + low, age)
        shift = target[:, age] - (found * weight).sum(axis=1) / weight.sum(axis=1)
        out[..., age] = np.maximum(found + shift[:, None], 0.0)
    return out


def _noise(seed: int) -> Floats:
    """Return standard paths by sequel, alike between the age bands."""
    known = calibration()
    rng = stream(seed, "sequels")
    shape = (len(atoms()), 3, len(SEQUEL_NAMES))
    drawn = paths(rng, len(YEARS), shape, known.persistence["shares"])
    both = float(known.sequels["between_ages"])
    return np.asarray(np.sqrt(both) * drawn[:, :, :1] + np.sqrt(1 - both) * drawn[:, :, 1:])


def moved(base: Floats, requests: Floats, funded: Floats, signposted: Floats) -> Floats:
    """Add effects to base shares.

    Parameters
    ----------
    base
        Years, areas, age bands, sequels.
    requests
        Years, areas, age bands: the weights of the age bands in the share over both.
    funded, signposted
        Effects on the share over both age bands: years, areas.

    Raises
    ------
    ClsimpactError
        If a share has no room for the effect, naming the areas.
    """
    weights = requests / np.maximum(requests.sum(axis=2, keepdims=True), 1)
    f, s = base[..., FUNDED].sum(axis=3), base[..., SIGNPOSTED].sum(axis=3)
    new_f = f + _spread(funded, f, 1 - f - s, weights)
    new_s = s + _spread(signposted, s, 1 - new_f - s, weights)
    rest = 1 - new_f - new_s
    short = (new_f < 0) | (new_s < 0) | (rest < 0)
    if short.any():
        codes = sorted({atoms()[column] for column in np.nonzero(short)[1]})
        raise ClsimpactError(
            "The effects leave no room for other sequels.",
            [f"councils {list_some(codes)}"],
            repair="Make the effects on signposted and funded_mid smaller.",
        )
    out = np.empty_like(base)
    blocks = ((FUNDED, f, new_f), (SIGNPOSTED, s, new_s), (REST, 1 - f - s, rest))
    for block, old, new in blocks:
        factor = np.divide(new, old, out=np.ones_like(new), where=old > 0)
        out[..., block] = base[..., block] * factor[..., None]
    return out


def _spread(effect: Floats, share: Floats, room: Floats, weights: Floats) -> Floats:
    """Spread an effect on the share over both age bands over the bands: years, areas, age bands."""
    by = np.where(effect[..., None] < 0, share, room)
    mean = (by * weights).sum(axis=2, keepdims=True)
    factor = np.divide(effect[..., None], mean, out=np.zeros_like(mean), where=mean > 0)
    return np.asarray(factor * by)
