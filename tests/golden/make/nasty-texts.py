"""The texts that tokenizer goldens are made of: hand-picked nasty ones, and random ones from a fixed seed."""
import random

PICKED = [
    "", " ", "  ", "a", " a", "a ", "Hello world", "Hello, world!  How are you?", "\n", "\n\n", "a\nb", "a\r\nb", "\t\tx",
    "don't can't I'll we've they're I'd I'm it's", "DON'T I'LL", "1 12 123 1234 12345 3.14 1,000,000", "²³¹ ½ Ⅷ ٣٤ १२",
    "😀", "a😀b", "👍🏽", "👨‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "x🏳️‍🌈y", "𝒳𝓎𝔷", "𓀀𓀁", "日本語のテキスト", "中文,标点。", "한국어 텍스트",
    "ÀÉÎÕÜ", "naïve café résumé", "Ærøskøbing", "ﬁ ﬂ ﬃ", "Ω≈ç√∫˜µ≤≥÷", "Привет, мир!", "Γειά σου", "שלום עולם", "مرحبا بالعالم",
    "हिन्दी पाठ", "ไทย ภาษา", "ქართული", "a\u00a0b", "a\u200bb", "a\u200db", "a\ufeffb", "\ufeffstart", "a\u0085b", "a\u2028b\u2029c",
    "a\u3000b", "x\u001fy", "\u0000", "\u007f", "tab\tnew\nline", "   leading", "trailing   ", "multi   spaces   inside",
    "<|im_start|>user\nhi<|im_end|>", "<|endoftext|>", "</s><s>", "<eos><bos>", "<|begin_of_text|><|eot_id|>", "<unk> <pad>",
    "<0x0A>", "<0xF0><0x9F>", "▁", "▁a▁b", "Ġ", "ĠHello", "Ċ", "{{ user }}", "{% raw %}", "</think>", "<start_of_turn>model",
    "http://example.org/a?b=c&d=%20#e", "snake_case camelCase kebab-case", "a.b.c...d", "!!!???", "---===+++", "(((([[[[{{{{",
    "a" * 300, " " * 70, "\n" * 40, "ab" * 120, "😀" * 20, "é" * 50, "x\n\n\ny", "#!/bin/sh\necho \"hi\" 'there' `ls`\n",
    "def f(x):\n    return x ** 2\n\n\nclass A:\n\tpass\n", "<table><tr><td>1</td></tr></table>", "C:\\path\\to\\file",
    "We hold these truths to be self-evident, that all men are created equal.", "ϒ", "ß ẞ ſ", "İ ı i I", "ǅ Ǆ", "\u0344", "\u212b",
]
DECOMPOSED = [
    "e\u0301", "cafe\u0301 au lait", "a\u0327\u0301b", "a\u0301\u0327b", "\u1112\u1161\u11ab\u1100\u1173\u11af", "x\u0958z", "q\u0307\u0323x",
    "n\u0303o\u0308", "A\u030a", "\u0301alone", "z\u0335\u0336\u0337algo", "i\u0307\u0301", "\u00c5\u0301", "\u03d2\u0301", "हि\u0928\u094d\u0926\u0940",
]
POOLS = [
    "abcdefghijklmnopqrstuvwxyz ", "ABCXYZ abc'", "0123456789., ", " \t\n\r", "éüñçøß ", "日本語中文한국 ", "😀👍🏽🎉🇩🇪 ",
    "!?.,;:-_()[]{}<>|/\\\"'`~@#$%^&*+=", "\u0301\u0308\u0327abc ", "мирпривет ", "\u200b\u200d\ufeff\u00a0 ab", "<|im_end|> <|>",
]


def texts(random_count: int) -> list[str]:
    stream = random.Random(0)
    made = []
    for _ in range(random_count):
        pools = stream.sample(POOLS, stream.randint(1, 4))
        made.append("".join(stream.choice(stream.choice(pools)) for _ in range(stream.randint(1, 40))))
    return PICKED + DECOMPOSED + made
