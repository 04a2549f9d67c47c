"""The choice from a large pool, compiled: one pass that weighs only the stems that could still win."""

from __future__ import annotations

import numpy as np

from ..compiled import kept

NEAR = 192
"""How many stems the first pass looks at. With fewer, more choices need a second."""


@kept(nogil=True, error_model="numpy")
def heaviest(bits, left, greatest, span, stems, weighed, sets_sounding, reacted, tonal, fixed):
    """The place of the stem with the least -log(u) / weight that does not clash, -1 if there is none.

    `left`: which stems may be taken. `greatest`: an upper bound of the weights. `span`: 0 for none. `stems`:
    their keys, weights by shift, lengths in bars and set codes. `weighed`: which stems each of the pool's
    weights is for, (weights, stems), and its factor. `sets_sounding`: by set code. `reacted`: places of what
    is liked or disliked, in order, and the factors. `tonal`: the chroma of all stems in a row, where that of
    each begins (-1 for none), and for how many bars; the worth of each pitch class in each bar, and by length
    in bars where it begins, -1 where chords do not count. `fixed`: the factors of an odd length and of the
    same set, how steep agreement is, and where a clash begins.

    The least is nearly always among the stems with the greatest u, so the first pass looks only at them.
    """
    keys, base, bars, set_codes = stems
    masks, factors = weighed
    liked, likes = reacted
    chroma, offset, length, values, value_start = tonal
    odd_length, same_set, steepness, clash = fixed
    count = np.count_nonzero(left)
    for near in (NEAR, count):
        # u below this cannot win, however heavy its stem.
        lowest = max(0.0, 1.0 - near / count)
        sure = -np.log(lowest) / greatest if lowest > 0 else np.inf
        best, least = -1, np.inf
        for i in range(len(keys)):
            u = _uniform(keys[i], bits)
            if u < lowest or not left[i]:
                continue
            agreement = 0.0
            if offset[i] >= 0 and value_start[length[i]] >= 0:
                first, start = offset[i], value_start[length[i]]
                for k in range(12 * length[i]):
                    agreement += np.float64(chroma[first + k]) * values[start + k]
                if agreement < clash:
                    continue
            weight = base[i]
            for m in range(len(factors)):
                if masks[m, i]:
                    weight *= factors[m]
            if sets_sounding[set_codes[i]]:
                weight *= same_set
            if len(liked):
                at = np.searchsorted(liked, i)
                if at < len(liked) and liked[at] == i:
                    weight *= likes[at]
            if span > 0 and _is_odd(span / bars[i]):
                weight *= odd_length
            rank = -np.log(u) / (weight * np.exp(steepness * agreement))
            if rank < least:
                best, least = i, rank
                lowest = max(lowest, np.exp(-least * greatest) * (1 - 1e-12))
        if least < sure:
            break
    return best


@kept(nogil=True, error_model="numpy")
def _uniform(key, bits):
    """The number of a stem that `chance.rendezvous` gives."""
    z = key ^ bits
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (np.float64(z >> np.uint64(11)) + 0.5) * 2.0**-53


@kept(nogil=True, error_model="numpy")
def _is_odd(times):
    """Whether a length does not divide its span, by how many times it goes into it; NaN, of none, is not."""
    return abs(times - np.round(times)) > 1e-9


@kept(nogil=True, error_model="numpy")
def folded(together, parts, bars, consonance):
    """The worth of each pitch class in each bar of a stem of `bars`, one after the other: (bars * 12,).

    `together`: the sum of what `parts` parts sound, (period, 12). A bar is averaged over its recurrences.
    """
    period = len(together)
    a, b = period, bars
    while b:
        a, b = b, a % b
    whole = period * bars // a
    result = np.zeros((bars, 12))
    mean = np.zeros((bars, 12))
    for bar in range(whole):
        for p in range(12):
            mean[bar % bars, p] += together[bar % period, p]
    scale = 1.0 / (whole // bars * parts * bars)
    for bar in range(bars):
        for p in range(12):
            for q in range(12):
                result[bar, q] += mean[bar, p] * consonance[p, q] * scale
    return result.ravel()


def compile_all() -> None:
    """Have all of this compiled or loaded, as for a large pool."""
    one, flags = np.ones(1), np.ones(1, np.bool_)
    ints, none = np.zeros(1, np.int64), np.full(1, -1)
    folded(np.ones((1, 12)), 1, 1, np.ones((12, 12)))
    stems, weighed = (np.ones(1, np.uint64), one, one, ints), (flags[None], one)
    tonal = np.ones(12, np.float32), none, ints, one, none
    heaviest(np.uint64(0), flags, 1.0, 0, stems, weighed, flags, (ints, one), tonal, (1.0, 1.0, 1.0, 1.0))
