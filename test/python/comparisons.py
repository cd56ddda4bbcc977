"""Writes ../fixtures/reference/comparisons.json: paired comparisons of made-up items, by scipy and statsmodels.

Errors of perplexities are an infinitesimal jackknife: how the difference moves with the weight of each item, by difference
quotients of the difference itself, so no derivative is written down here.

    pip install numpy scipy statsmodels && python comparisons.py
"""
import json
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(7)

METRICS = {
    "acc": lambda r: r,
    "perplexity": lambda r: np.exp(-r),
    "word_perplexity": lambda r: np.exp(-r),
    "bits_per_byte": lambda r: -r / np.log(2),
}


def compared(metric, base, variant, weights):
    f, n = METRICS[metric], len(base)

    def delta(k):  # k: how often each item is counted
        w = (k * weights).sum()
        return f((k * variant).sum() / w) - f((k * base).sum() / w)

    h = 1e-4
    ones, unit = np.ones(n), np.eye(n)
    moves = n * np.array([(delta(ones + h * e) - delta(ones - h * e)) / (2 * h) for e in unit])
    stderr = moves.std(ddof=1) / np.sqrt(n)
    d = delta(ones)
    z = stats.norm.ppf(0.975)
    row = dict(metric=metric, base=base.tolist(), variant=variant.tolist(), weights=weights.tolist(),
               delta=d, pairedStderr=stderr, interval95=[d - z * stderr, d + z * stderr], mcnemarP=None, flipped=None)
    if metric == "acc":
        assert np.isclose(stderr, stats.sem(variant - base), rtol=1e-7)
        wrong, right = int(((base == 1) & (variant == 0)).sum()), int(((base == 0) & (variant == 1)).sum())
        table = [[int((base * variant).sum()), wrong], [right, int(((1 - base) * (1 - variant)).sum())]]
        row |= dict(flipped=dict(toWrong=wrong, toRight=right), mcnemarP=float(mcnemar(table, exact=True).pvalue))
    return row


rows = []
for n, p, q in [(2, 0.5, 0.5), (40, 0.45, 0.3), (40, 0.25, 0.6), (200, 0.6, 0.55)]:
    base = (rng.random(n) < p).astype(float)
    variant = np.where(rng.random(n) < 0.7, base, (rng.random(n) < q).astype(float))
    rows.append(compared("acc", base, variant, np.ones(n)))
for n in (3, 40):
    base = np.round(-rng.gamma(2.0, 2.0, n), 4)
    rows.append(compared("perplexity", base, np.round(base - rng.normal(0.6, 1.0, n), 4), np.ones(n)))
for metric, n in (("word_perplexity", 2), ("word_perplexity", 20), ("bits_per_byte", 20)):
    weights = rng.integers(200, 9000, n).astype(float)
    base = np.round(-3.4 * weights * rng.normal(1, 0.1, n), 3)
    rows.append(compared(metric, base, np.round(base * rng.normal(1.2, 0.05, n), 3), weights))

exact = [dict(toWrong=a, toRight=b, p=float(stats.binomtest(a, a + b, 0.5).pvalue) if a + b else 1.0)
         for a, b in [(0, 0), (1, 0), (0, 6), (5, 5), (3, 12), (40, 61), (700, 612), (2600, 2510), (3000, 1200)]]

t = [dict(mean=m, stderr=s, n=n, p=float(2 * stats.t.sf(abs(m / s), n - 1)))
     for m, s, n in [(0.1, 0.1, 2), (1.0, 0.05, 2), (-0.3, 0.1, 5), (0.02, 0.03, 40), (0.2, 0.03, 40),
                     (0.05, 0.02, 62), (-0.01, 0.004, 5153), (0.001, 0.004, 10042)]]

holm = [dict(p=p, fallen=multipletests(p, 0.05, "holm")[0].tolist())
        for p in ([0.01], [0.06], [0.01, 0.02, 0.03], [0.01, 0.04, 0.03], [0.02, 0.001, 0.3, 0.0124], [1.0, 1.0],
                  [0.026, 0.024, 0.9], np.round(rng.random(65) ** 4, 6).tolist())]

out = Path(__file__).parent.parent / "fixtures" / "reference" / "comparisons.json"
out.write_text(json.dumps(dict(comparisons=rows, mcnemar=exact, pairedT=t, holm=holm)) + "\n")
