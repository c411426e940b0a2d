"""McNemar's test: two networks on the same faces. Read it for a pair of which each method has one run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class McNemar:
    """How often only one of two networks was right, and the p that each is so as often as the other."""

    only_one: int  # faces that only the first has right
    only_other: int
    p: float


def mcnemar(one: np.ndarray, other: np.ndarray) -> McNemar:
    """McNemar's exact two-sided test (McNemar 1947): of the faces that one network alone has right, has the first as
    many as the second?

    one, other: bool [N], whether each network is right on each test face. It is of these two networks: that another
    training of the methods would differ as much, or which way, it cannot say.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact  # here: a second that nothing else needs

    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"expected two arrays of one shape [faces], found {one.shape} and {other.shape}")
    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    both, none = int((one & other).sum()), int((~one & ~other).sum())
    return McNemar(first, second, float(exact([[both, first], [second, none]], exact=True).pvalue))
