"""Writes tests/golden/text-metrics.json.gz (ROUGE, BLEU, METEOR, LaMP's measures, stems, sentences and tokens of several hundred pairs),
and beside it tests/golden/wordnet-small (a WordNet of a few words) and tests/golden/punkt-small (a Punkt trained on the prose).

Run: python tests/golden/make/text_metrics.py
Needs rouge-score 0.1.2, sacrebleu 2.5.1, nltk 3.9.1, scikit-learn. NLTK's own data are not needed: Punkt is used untrained and
trained here, WordNet is the small one.
"""

import gzip
import json
import random
import warnings

import sacrebleu
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.stem.porter import PorterStemmer
from nltk.tokenize.destructive import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer, save_punkt_params
from nltk.translate import meteor_score
from rouge_score import rouge_scorer
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, mean_squared_error

from metric_texts import PROSE, pairs, stems
from provenance import GOLDEN, provenance

TYPES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]

# Meanings as (part of speech, words); adjectives may carry a mark of where they stand.
MEANINGS = [
    ("n", "truth verity true_statement"), ("n", "man adult_male"), ("n", "fortune luck chance"), ("n", "fortune wealth"), ("n", "wife spouse married_woman"),
    ("n", "daughter girl"), ("n", "war warfare"), ("n", "nation country state"), ("n", "battle conflict fight"), ("n", "goose"), ("n", "day Day"),
    ("n", "house dwelling"), ("n", "camera"), ("n", "leaf foliage"), ("n", "box"), ("n", "church"), ("v", "want desire"), ("v", "run execute"),
    ("v", "go travel move"), ("v", "say state tell"), ("v", "dedicate consecrate"), ("v", "buy purchase"), ("v", "think believe"), ("v", "agre concur"),
    ("a", "large big"), ("s", "great outstanding"), ("a", "tired"), ("s", "galore(ip) abounding"), ("a", "good"), ("a", "happi glad"), ("r", "immediately at_once instantly"),
    ("r", "here"), ("r", "suddenly abruptly"),
]
EXCEPTIONS = {"noun": ["geese goose", "men man"], "verb": ["ran run", "went go", "bought buy", "said say", "thought think"], "adj": ["better good"], "adv": []}


def write_wordnet(folder):
    folder.mkdir(exist_ok=True)
    header = "  1 A small lexicon in the layout of WordNet's database files, for tests of METEOR only.\n"
    for name, kinds in {"noun": "n", "verb": "v", "adj": "as", "adv": "r"}.items():
        data, index = header, {}
        for kind, words in MEANINGS:
            if kind not in kinds:
                continue
            words = words.split()
            offset = len(data)
            # A satellite adjective points to its head, here the first set of the file.
            pointers = f"001 & {len(header):08d} a 0000" if kind == "s" else "000"
            data += f"{offset:08d} 03 {kind} {len(words):02x} " + " ".join(f"{word} 0" for word in words) + f" {pointers} | a gloss; \"an example\"  \n"
            for word in words:
                index.setdefault(word.split("(")[0].lower(), []).append(offset)
        (folder / f"data.{name}").write_text(data)
        lines = [f"{word} {kinds[0]} {len(at)} 0 {len(at)} 0 " + " ".join(f"{o:08d}" for o in at) + "  \n" for word, at in sorted(index.items())]
        (folder / f"index.{name}").write_text(header + "".join(lines))
        (folder / f"{name}.exc").write_text("".join(f"{line}\n" for line in EXCEPTIONS[name]))
    # NLTK's reader opens this file too; METEOR does not use it.
    (folder / "lexnames").write_text("".join(f"{n:02d}\tname.{n}\t1\n" for n in range(45)))


class SmallWordNet(WordNetCorpusReader):
    """NLTK's reader without the map to other versions, which METEOR does not use and which asks for NLTK's own copy."""

    def map_wn(self, version="wordnet"):
        return None


class NoWordNet:
    def synsets(self, word):
        return []


def labels_golden(rng):
    labels = ["[1]", "[2]", "[3]", "never"]
    golds = [rng.choice(labels[:3]) for _ in range(80)]
    predictions = [gold if rng.random() < 0.6 else rng.choice(["[1]", " [2]\n", "[3]", "neither", "", "[1] ", "(1)", "never"]) for gold in golds]
    index = lambda text: labels.index(text.strip()) if text.strip() in labels else -1
    y, p = [index(g) for g in golds], [index(t) for t in predictions]
    return {"labels": labels, "golds": golds, "predictions": predictions, "accuracy": accuracy_score(y, p), "macroF1": f1_score(y, p, labels=range(len(labels)), average="macro")}


def ratings_golden(rng):
    golds = [str(rng.randint(1, 5)) for _ in range(80)]
    odd = ["", "five", "3 stars", " 4 ", "4.0", "1e0", ".5", "5.", "+2", "-1", "1_0", "1__0", "_1", "٣", "２", "𝟙", "3,5", "0x3", "4\n", "1e", "e1", "--1", "3 .5"]
    predictions = odd + [rng.choice("12345") for _ in range(len(golds) - len(odd))]

    def value(text, gold):
        try:
            return float(text.strip())
        except ValueError:
            return 1.0 if abs(1 - float(gold)) > abs(5 - float(gold)) else 5.0

    y = [float(gold) for gold in golds]
    p = [value(text, gold) for text, gold in zip(predictions, golds)]
    return {"golds": golds, "predictions": predictions, "values": p, "mae": mean_absolute_error(y, p), "rmse": mean_squared_error(y, p) ** 0.5}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_wordnet(GOLDEN / "wordnet-small")
    wordnet = SmallWordNet(str(GOLDEN / "wordnet-small"), None)
    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train(PROSE, finalize=False)
    trainer.finalize_training()
    parameters = trainer.get_params()
    parameters.abbrev_types |= {"mr", "mrs", "dr", "u.s", "e.g", "vs", "p.m", "prof", "feb", "hrs", "al", "j.r"}
    parameters.collocations.add(("no", "##number##"))
    parameters.sent_starters |= {"he", "it", "she", "battery"}
    save_punkt_params(parameters, dir=str(GOLDEN / "punkt-small"))
    for path in (GOLDEN / "punkt-small").iterdir():
        path.write_text("\n".join(sorted(line for line in path.read_text().split("\n") if line)) + "\n")

    split = {"untrained": PunktSentenceTokenizer(), "trained": PunktSentenceTokenizer(parameters)}
    treebank = NLTKWordTokenizer()
    words = lambda kind, text: [token for sentence in split[kind].tokenize(text) for token in treebank.tokenize(sentence)]

    def meteor(kind, lexicon, pair):
        return meteor_score.meteor_score([words(kind, r) for r in pair["references"]], words(kind, pair["prediction"]), wordnet=lexicon)

    plain, stemmed = rouge_scorer.RougeScorer(TYPES), rouge_scorer.RougeScorer(TYPES, use_stemmer=True)
    texts = pairs()
    rows = []
    for pair in texts:
        rouge = {name: list(score) for name, score in plain.score_multi(pair["references"], pair["prediction"]).items()}
        with_stems = {name: list(score) for name, score in stemmed.score_multi(pair["references"], pair["prediction"]).items()}
        rows.append(pair | {
            "rouge": rouge, "rougeStemmed": with_stems,
            "sentenceBleu": sacrebleu.sentence_bleu(pair["prediction"], pair["references"]).score,
            "meteor": meteor("untrained", NoWordNet(), pair),
            "meteorTrained": meteor("trained", NoWordNet(), pair),
            "meteorWordNet": meteor("trained", wordnet, pair),
        })
    deepest = max(len(pair["references"]) for pair in texts)
    streams = [[pair["references"][n] if n < len(pair["references"]) else None for pair in texts] for n in range(deepest)]
    corpus = sacrebleu.corpus_bleu([pair["prediction"] for pair in texts], streams)
    parts = [list(range(start, len(texts), 7)) for start in range(7)]
    corpora = [sacrebleu.corpus_bleu([texts[i]["prediction"] for i in part], [[stream[i] for i in part] for stream in streams]).score for part in parts]
    short = sacrebleu.corpus_bleu(["a b", "c d"], [["a b", "c x"]]).score

    rng = random.Random(5)
    tokenised = sorted({text for pair in texts for text in [pair["prediction"], *pair["references"]] if len(text) < 400})
    stemmer = PorterStemmer()
    content = provenance(__file__, "rouge-score, sacrebleu, NLTK, scikit-learn", ["rouge-score", "sacrebleu", "nltk", "scikit-learn"]) | {
        "pairs": rows,
        "bleu": {"corpus": corpus.score, "every7th": corpora, "shortTexts": short},
        "labels": labels_golden(rng),
        "ratings": ratings_golden(rng),
        "stems": [[word, stemmer.stem(word)] for word in stems()],
        "tokens": [{"text": text, "untrained": split["untrained"].tokenize(text), "trained": split["trained"].tokenize(text), "words": treebank.tokenize(text)} for text in tokenised[::2]],
    }
    path = GOLDEN / "text-metrics.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0))
    print(f"{path.name}: {path.stat().st_size} bytes, {len(rows)} pairs, {len(content['stems'])} stems, {len(content['tokens'])} tokenised texts")
