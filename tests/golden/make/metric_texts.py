"""Pairs of texts that the goldens of metrics are made on: prose, its distortions, other scripts, nothing at all, very long texts."""

import random
import re

PROSE = """
It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife. However little
known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is so well fixed in the minds of the
surrounding families, that he is considered as the rightful property of some one or other of their daughters. "My dear Mr. Bennet," said
his lady to him one day, "have you heard that Netherfield Park is let at last?" Mr. Bennet replied that he had not. "But it is," returned
she; "for Mrs. Long has just been here, and she told me all about it." Mr. Bennet made no answer. "Do you not want to know who has taken
it?" cried his wife impatiently. "You want to tell me, and I have no objection to hearing it." This was invitation enough. "Why, my dear,
you must know, Mrs. Long says that Netherfield is taken by a young man of large fortune from the north of England; that he came down on
Monday in a chaise and four to see the place, and was so much delighted with it that he agreed with Mr. Morris immediately; that he is to
take possession before Michaelmas, and some of his servants are to be in the house by the end of next week."
Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and dedicated to the
proposition that all men are created equal. Now we are engaged in a great civil war, testing whether that nation, or any nation so
conceived and so dedicated, can long endure. We are met on a great battle-field of that war. We have come to dedicate a portion of that
field, as a final resting place for those who here gave their lives that that nation might live. It is altogether fitting and proper that
we should do this. But, in a larger sense, we can not dedicate -- we can not consecrate -- we can not hallow -- this ground. The brave men,
living and dead, who struggled here, have consecrated it, far above our poor power to add or detract.
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or twice she had peeped into
the book her sister was reading, but it had no pictures or conversations in it, `and what is the use of a book,' thought Alice `without
pictures or conversation?' So she was considering in her own mind (as well as she could, for the hot day made her feel very sleepy and
stupid), whether the pleasure of making a daisy-chain would be worth the trouble of getting up and picking the daisies, when suddenly a
White Rabbit with pink eyes ran close by her. There was nothing so VERY remarkable in that; nor did Alice think it so VERY much out of the
way to hear the Rabbit say to itself, `Oh dear! Oh dear! I shall be late!'
I bought this camera in Feb. 2019 for $1,299.99 and it's the best purchase I've made... The lens (f/1.8) is sharp, the menus aren't.
Don't expect 4K at 60 fps, though: you'll get 30. Battery life? About 3.5 hrs. vs. the 5 hrs. they advertise! I can't recommend it to Prof.
J. R. Smith et al. or anyone at the U.S. Dept. of Energy, but I'm gonna keep it. 5 stars... no, 4. Cannot complain; gimme more of 'em.
"""

# Each a trap of one tokenizer or another.
TRAPS = [
    "", " ", "\n", ".", "...", "!!!", "?", "-", "--", "'", '"', "''", "``", "’", "(", ")", "[1]", "<skipped>", "a", "I.", "U.S.", "e.g.",
    "Hello.", "Hello. ", "Hello.\n", "Hello world", "hello WORLD!", "The cat sat on the mat.", "the cat sat on the mat", "cat", "cats",
    "Dr. Smith vs. Mr. Jones, Jr. arrived at 5 p.m. on Jan. 3. He left.", "It cost $3.88 (roughly 3,36 euros)\nin New York.  Please buy me\ntwo of them.\nThanks.",
    "They'll've said \"it's Jack's\" -- she'd n't agree. 'Tis so; 'twas ever; d'ye see?", "I cannot; gimme, gonna, gotta, lemme, wanna go. more'n that",
    "wait...what?! No.. yes. . . . maybe", "He said: 'Go!' \"Now?\" “Curly,” ‘single’ «guillemets» „low“ – en — em ― bar",
    "A.B.C. Corp., Inc. said so. (Really.) [Yes.] {No.} <Ok.>", "1,000.50 and 2.5% of 3-4, or 5- 6 -7 .8 9.", "3.14 3. 14 3 .14 1. A 2. B i. c",
    "&quot;Quoted&quot; &amp; &lt;tagged&gt; &#39; &amp;lt;", "end-\nof-line hyphen-\n", "tab\there\u00a0nbsp\u2003em space\u200bzero width\ufeffbom",
    "x\x1cy\x1dz\x85next\x0bline\x0cpage\rreturn\r\nboth", "naïve café résumé Zürich straße ŒUVRE", "e\u0301t\u00e9 ne\u0301e", "ΣΊΣΥΦΟΣ Όδυσσεύς", "İstanbul ısı K Å ﬁne ſharp",
    "中文分词测试。你好，世界！", "日本語のテキスト。これはペンです。", "Привет, мир! Как дела? Хорошо.", "مرحبا بالعالم، كيف الحال؟ ١٢٣", "हिन्दी में लिखा है। ठीक है", "สวัสดีชาวโลก",
    "emoji 😀😀 👨‍👩‍👧 flags 🇩🇪 done 🎉.", "😀.5 😀,6 7😀-8", "𝟙𝟚.𝟛 ٣.٤ x٣,y", "fullwidth ＡＢＣ １２３．", "#hash @at http://a.b/c?d=e&f=g user@mail.com C:\\path\\file.txt *star* _under_ ~tilde^ `tick`",
    "a.b.c a. b. c. A. B. C.", "No. 5 is alive. No. It is not.", "yyyy yyyyed syzygyed ying eyed", "the the the the the the the", "the", "a b c d e f g h i j", "j i h g f e d c b a",
    "ran running runs runner", "flies dies flied died dying ties skies news innings", "He said 'hello'. 's ' t 'd'", "rock 'n' roll 'cause o'clock y'all's", "a'b 'a 'z! '9 '_ 'é",
    "\"Start\" (\"mid\") {\"brace\"} <\"angle\"> ''two''", "S. J. Bach wrote it. J. bach did. Mr. x", "?! ?. !. .? ,. ., ;. :.", "one two. three? four! five; six: seven, eight",
    "line one\nline two\n\nline four", "same line\nsame line\nsame line",
]

WORDS = sorted(set(re.findall(r"[A-Za-z]+", PROSE)))


# Words that the small WordNet of text_metrics.py gives one meaning.
SAME_MEANING = [
    "truth verity", "war warfare", "fortune luck chance wealth", "nation country state", "battle conflict fight", "house dwelling", "leaf foliage",
    "want desire", "go travel move", "say state tell", "buy purchase", "think believe", "large big", "great outstanding", "galore abounding", "run execute ran",
    "immediately instantly", "suddenly abruptly", "wife spouse", "daughter girl",
]


def sentences():
    return [s.strip() for s in re.split(r"(?<=[.?!])\s+", PROSE.strip()) if s.strip()]


def distorted(rng, text):
    """A text with words dropped, doubled, swapped, replaced, inflected or in another case."""
    words = text.split()
    for _ in range(rng.randint(1, 6)):
        if not words:
            break
        at = rng.randrange(len(words))
        kind = rng.randrange(7)
        if kind == 0:
            del words[at]
        elif kind == 1:
            words.insert(at, words[at])
        elif kind == 2:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif kind == 3:
            words[at] = rng.choice(WORDS)
        elif kind == 4:
            words[at] += rng.choice(["s", "ed", "ing", "ly", ".", ",", "?", "'s", "n't", "...", ")", "é"])
        elif kind == 5:
            words[at] = words[at].swapcase()
        else:
            words = words[:at] + words[at + 1 :] + [words[at]]
    return rng.choice([" ", " ", " ", "  ", "\n"]).join(words)


def pairs(seed=7):
    """Predictions with one to three references each."""
    rng = random.Random(seed)
    prose = sentences()
    result = []
    for place, trap in enumerate(TRAPS):
        result.append((trap, [trap]))
        result.append((trap, [TRAPS[(place + 1) % len(TRAPS)], rng.choice(prose)]))
        result.append((f"{rng.choice(prose)} {trap} {rng.choice(prose)}", [f"{trap} {rng.choice(prose)}"]))
    for _ in range(170):
        base = " ".join(rng.sample(prose, rng.randint(1, 3)))
        result.append((distorted(rng, base), [distorted(rng, base) for _ in range(rng.choice([1, 1, 2, 3]))]))
    for _ in range(30):
        result.append((" ".join(rng.choices(WORDS, k=rng.randint(1, 12))), [" ".join(rng.choices(WORDS, k=rng.randint(1, 12)))]))
    for _ in range(40):
        meanings = [rng.choice(SAME_MEANING).split() for _ in range(rng.randint(2, 8))]
        say = lambda: " ".join(f"{rng.choice(['the', 'a', 'we'])} {rng.choice(words)}" for words in meanings)
        result.append((say(), [say(), say()]))
    long = " ".join(rng.choices(prose, k=60))
    result.append((distorted(rng, long), [distorted(rng, long)]))
    result.append((" ".join(rng.choices(WORDS[:40], k=1200)), [" ".join(rng.choices(WORDS[:40], k=1000))]))
    result.append(("word " * 1500, ["word " * 900]))
    return [{"prediction": prediction, "references": references} for prediction, references in result]


def stems(seed=3):
    """Words for the stemmer: those of the prose, all endings that it knows on many beginnings, letters at random."""
    rng = random.Random(seed)
    endings = (
        "s es ies sses ss ed ied eed ing at bl iz y ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness "
        "fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent "
        "ion sion tion ou ism ate iti ous ive ize e ll le lle"
    ).split()
    heads = "a b by tr yyy geo archaeo contr hop fall hiss fizz fil oats ivy trouble private orrery enjo happ relat vis pl conflat yell ow ox 中 é 😀".split()
    made = [head + ending for head in heads for ending in endings]
    chance = ["".join(rng.choices("aeiouybcdlstz", k=rng.randint(1, 9))) + rng.choice(endings) for _ in range(600)]
    irregular = "sky skies dying lying tying news innings inning outings outing cannings canning howe proceed exceed succeed Sky DYING".split()
    return sorted(set(WORDS + made + chance + irregular))
