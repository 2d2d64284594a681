"""Writes tests/golden/statistics.json: ROC AUC with ties, linear quantiles, and percentile bootstraps on given resamples.

(Not called statistics.py: that would hide Python's own module from everything run in this folder.)
Run: python tests/golden/make/auc_and_bootstrap.py   (needs numpy, scikit-learn)
"""

import numpy as np
from sklearn.metrics import roc_auc_score

from provenance import provenance, rounded, write_golden

DIGITS = 15


def auc_case(name, scores, positives):
    scores, positives = np.asarray(scores, dtype=np.float64), np.asarray(positives, dtype=bool)
    return {
        "name": name, "scores": scores.tolist(), "positives": positives.tolist(),
        "auc": rounded(float(roc_auc_score(positives, scores)), DIGITS),
    }


def auc_cases(rng):
    noisy = np.round(rng.normal(size=60), 3)
    coarse = rng.integers(0, 5, size=80) / 4
    return [
        auc_case("perfect order", [0.1, 0.2, 0.7, 0.9], [False, False, True, True]),
        auc_case("reversed order", [0.9, 0.8, 0.2, 0.1], [False, False, True, True]),
        auc_case("all scores equal", [0.5] * 6, [True, False, True, False, False, True]),
        auc_case("one tie across the classes", [0.1, 0.4, 0.4, 0.8], [False, True, False, True]),
        auc_case("negative scores and signed zeros", [-1.5, -0.0, 0.0, 2.0, -1.5], [False, True, False, True, True]),
        auc_case("no ties, 60 items", noisy, rng.random(60) < 1 / (1 + np.exp(-noisy))),
        auc_case("five distinct scores, 80 items, one positive in six", coarse, rng.random(80) < 1 / 6 + 0.2 * (coarse - 0.5)),
    ]


def quantile_cases(rng):
    probabilities = [0.0, 0.025, 0.1, 0.25, 0.5, 0.5 + 1 / 3, 0.975, 1.0]
    lists = [[3.0], [2.0, -1.0], np.round(rng.normal(size=11), 4).tolist(), [1.0, 1.0, 2.0, 2.0, 2.0, 7.5]]
    return [
        {
            "values": values, "probabilities": rounded(probabilities, DIGITS),
            "quantiles": rounded(np.quantile(values, rounded(probabilities, DIGITS)).tolist(), DIGITS),
        }
        for values in lists
    ]


def interval(resampled, level):
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return {"level": level, "low": rounded(float(low), DIGITS), "high": rounded(float(high), DIGITS)}


def mean_bootstrap(rng, users=9, resamples=40):
    """Mean over users of user means; a resample draws users, with all their rows."""
    rows = [
        {"user": f"u{u}", "value": round(float(rng.normal(0.3 * u, 1)), 4)}
        for u in range(users)
        for _ in range(int(rng.integers(1, 5)))
    ]
    means = np.array([np.mean([row["value"] for row in rows if row["user"] == f"u{u}"]) for u in range(users)])
    drawn = rng.integers(0, users, size=(resamples, users))
    resampled = means[drawn].mean(axis=1)
    return {
        "rows": rows, "userMeans": rounded(means.tolist(), DIGITS), "value": rounded(float(means.mean()), DIGITS),
        "resamples": drawn.tolist(), "resampled": rounded(resampled.tolist(), DIGITS),
        "intervals": [interval(resampled, level) for level in (0.95, 0.8)],
    }


def auc_bootstrap(rng, users=6, resamples=40):
    """AUC pooled over tokens; a user drawn twice brings each token twice. Scores are coarse, so that there are ties."""
    rows = []
    for u in range(users):
        for _ in range(int(rng.integers(4, 9))):
            positive = bool(rng.random() < 0.35)
            rows.append({"user": f"u{u}", "score": round(float(rng.normal(0.8 if positive else 0.0, 1)), 1), "positive": positive})
    drawn = rng.integers(0, users, size=(resamples, users))

    def pooled(chosen):
        tokens = [row for u in chosen for row in rows if row["user"] == f"u{u}"]
        return float(roc_auc_score([row["positive"] for row in tokens], [row["score"] for row in tokens]))

    resampled = [pooled(chosen) for chosen in drawn]
    assert all(np.isfinite(resampled))
    return {
        "rows": rows, "value": rounded(pooled(range(users)), DIGITS),
        "resamples": drawn.tolist(), "resampled": rounded(resampled, DIGITS),
        "intervals": [interval(resampled, level) for level in (0.95, 0.8)],
    }


if __name__ == "__main__":
    rng = np.random.default_rng(8)
    write_golden("statistics.json", provenance(__file__, "scikit-learn, numpy", ["numpy", "scikit-learn"]) | {
        "about": {
            "auc": "sklearn.metrics.roc_auc_score",
            "quantiles": "numpy.quantile, method linear",
            "resamples": "for each resample the indices of the users drawn, in the order in which users first occur in rows",
            "intervals": "quantiles (1 - level) / 2 and 1 - (1 - level) / 2 of resampled",
        },
        "auc": auc_cases(rng),
        "quantiles": quantile_cases(rng),
        "meanByUser": mean_bootstrap(rng),
        "aucByUser": auc_bootstrap(rng),
    })
