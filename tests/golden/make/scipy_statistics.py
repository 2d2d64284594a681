"""Writes tests/golden/statistics-scipy.json: BCa intervals on the resamples of statistics.json, paired permutation tests,
false discovery rates and quantiles of the normal distribution.

Run: python tests/golden/make/scipy_statistics.py   (needs numpy, scipy)
"""

import json

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri
from scipy.stats._resampling import BootstrapResult

from provenance import GOLDEN, provenance, rounded, write_golden

DIGITS = 15
LEVELS = (0.95, 0.8)


def bca(statistic, users, resampled):
    """scipy's interval of a statistic of user indices, on resampled values that are there already."""
    known = BootstrapResult(None, np.asarray(resampled), None)
    intervals = []
    for level in LEVELS:
        low, high = stats.bootstrap(
            (np.arange(users),), statistic, n_resamples=0, bootstrap_result=known, method="BCa",
            confidence_level=level, vectorized=False,
        ).confidence_interval
        intervals.append({"level": level, "low": rounded(float(low), DIGITS), "high": rounded(float(high), DIGITS)})
    return intervals


def mean_intervals(rows, resamples):
    names = list(dict.fromkeys(row["user"] for row in rows))
    means = np.array([np.mean([row["value"] for row in rows if row["user"] == name]) for name in names])
    statistic = lambda users: means[np.asarray(users)].mean()
    return bca(statistic, len(names), [statistic(drawn) for drawn in resamples])


def auc_intervals(rows, resamples):
    names = list(dict.fromkeys(row["user"] for row in rows))

    def statistic(users):
        tokens = [row for u in users for row in rows if row["user"] == names[int(u)]]
        positives = np.array([row["score"] for row in tokens if row["positive"]])
        negatives = np.array([row["score"] for row in tokens if not row["positive"]])
        return float(stats.mannwhitneyu(positives, negatives).statistic / (len(positives) * len(negatives)))

    return bca(statistic, len(names), [statistic(drawn) for drawn in resamples])


def skewed(rng, users=14, resamples=200):
    """One user in five far above the rest: where the two kinds of interval differ most."""
    values = [round(float(v), 4) for v in np.exp(rng.normal(0, 1.2, size=users))]
    rows = [{"user": f"u{u}", "value": value} for u, value in enumerate(values)]
    drawn = rng.integers(0, users, size=(resamples, users)).tolist()
    return {"rows": rows, "resamples": drawn, "intervals": mean_intervals(rows, drawn)}


def permutation_case(rng, name, users, rows_each, shift, alternative, n_resamples=9999):
    """Differences of user means; scipy changes their signs by swapping the two samples of a user."""
    baseline, system = [], []
    for u in range(users):
        for e in range(rows_each):
            value = round(float(rng.normal()), 3)
            baseline.append({"example": f"u{u}-{e}", "user": f"u{u}", "value": value})
            system.append({"example": f"u{u}-{e}", "user": f"u{u}", "value": round(value + float(rng.normal(shift, 1)), 3)})
    mean = lambda rows: np.array([np.mean([row["value"] for row in rows if row["user"] == f"u{u}"]) for u in range(users)])
    result = stats.permutation_test(
        (mean(system), mean(baseline)), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples",
        vectorized=True, alternative=alternative, n_resamples=n_resamples, rng=rng,
    )
    exact = 2**users <= n_resamples
    return {
        "name": name, "alternative": alternative, "exact": exact, "pValue": rounded(float(result.pvalue), DIGITS),
        **({"system": system, "baseline": baseline, "permutations": 2**users} if exact else {
            "observed": rounded(float(result.statistic), 17), "nullValues": rounded(result.null_distribution.tolist(), 17),
        }),
    }


def discovery_case(name, ps):
    ps = [float(p) for p in ps]
    return {"name": name, "ps": ps, "rates": rounded(stats.false_discovery_control(ps, method="bh").tolist(), DIGITS)}


if __name__ == "__main__":
    rng = np.random.default_rng(21)
    known = json.loads((GOLDEN / "statistics.json").read_text())
    probabilities = [1e-6, 2.5e-4, 0.0125, 0.025, 0.1, 0.5, 0.7, 0.975, 0.9999, 1 - 1e-9]
    z = [-8.0, -3.2, -1.0, -0.1, 0.0, 0.5, 1.959963984540054, 4.0, 8.2]
    write_golden("statistics-scipy.json", provenance(__file__, "scipy, numpy", ["numpy", "scipy"]) | {
        "about": {
            "bca": "scipy.stats.bootstrap, method BCa, n_resamples 0 on a given bootstrap distribution; users are the data",
            "permutations": "scipy.stats.permutation_test, permutation_type samples, of user means; null values where sampled",
            "discovery": "scipy.stats.false_discovery_control, method bh",
            "normal": "scipy.special.ndtri and ndtr",
        },
        "bca": {
            "meanByUser": mean_intervals(known["meanByUser"]["rows"], known["meanByUser"]["resamples"]),
            "aucByUser": auc_intervals(known["aucByUser"]["rows"], known["aucByUser"]["resamples"]),
            "skewed": skewed(rng),
        },
        "permutations": [
            permutation_case(rng, "five users, no difference", 5, 3, 0.0, "two-sided"),
            permutation_case(rng, "twelve users, a difference", 12, 2, 0.9, "two-sided"),
            permutation_case(rng, "eight users, one-sided above", 8, 1, 0.7, "greater"),
            permutation_case(rng, "eight users, one-sided below", 8, 1, 0.7, "less"),
            permutation_case(rng, "thirty users, 499 sampled patterns", 30, 1, 0.45, "two-sided", 499),
            permutation_case(rng, "thirty users, 199 sampled patterns, none as extreme", 30, 1, 2.5, "greater", 199),
        ],
        "discovery": [
            discovery_case("ties, ends and disorder", [0.9, 0.01, 0.04, 0.01, 1.0, 0.03, 0.2]),
            discovery_case("forty tests, eight of them real", np.round(np.concatenate([rng.random(32), rng.random(8) * 0.004]), 5)),
            discovery_case("one test", [0.03]),
        ],
        "normal": {
            "quantiles": [{"probability": p, "z": rounded(float(ndtri(p)), 17)} for p in probabilities],
            "probabilities": [{"z": x, "probability": rounded(float(ndtr(x)), 17)} for x in z],
        },
    })
