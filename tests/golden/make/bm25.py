"""Writes tests/golden/bm25.json: scores and orders of rank_bm25's BM25Okapi, as LaMP retrieves by it.

Run: python tests/golden/make/bm25.py   (needs rank_bm25)

Orders are those of a stable sort, read from its end: of equal scores the later document comes first. The package's get_top_n sorts
by numpy's default, which leaves the order of equal scores to the processor; where that sort is stable it gives these orders.
"""

import random

import numpy as np
from rank_bm25 import BM25Okapi

from provenance import GOLDEN, provenance, write_golden

WORDS = "the a of storm garden Garden violin violins it's slow, slow café naïve 東京 2021 — well".split()
SPACES = [" ", "  ", "\t", "\n", "\u00a0", "\u2003", "\u0085"]


def text(stream, most):
    return "".join(stream.choice(WORDS) + stream.choice(SPACES) for _ in range(stream.randint(0, most)))


def case(stream, documents, most):
    corpus = [text(stream, most) for _ in range(documents)]
    if documents > 3:
        corpus[2] = corpus[1]  # a tie
    query = text(stream, 8)
    words = [document.split() for document in corpus]
    if not any(words):
        return None
    bm25 = BM25Okapi(words)
    scores = bm25.get_scores(query.split())
    order = np.argsort(scores, kind="stable")[::-1]
    theirs = bm25.get_top_n(query.split(), list(range(documents)), n=documents)
    assert scores[theirs].tolist() == scores[order].tolist()
    return {"query": query, "documents": corpus, "scores": scores.tolist(), "order": order.tolist()}


stream = random.Random(7)
sizes = [(1, 12), (2, 6), (3, 20), (4, 3), (6, 12), (8, 30), (12, 10), (16, 20), (40, 15)]
cases = [case(stream, *size) for size in sizes for _ in range(6)]
write_golden(
    "bm25.json",
    {**provenance(__file__, "rank_bm25's BM25Okapi", ["rank_bm25", "numpy"]), "cases": [c for c in cases if c]},
)
