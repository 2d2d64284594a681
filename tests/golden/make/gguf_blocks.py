"""Writes random blocks of every GGUF number format that we read, and the f32 values that the Python package gives them.

tests/golden/gguf-blocks.json: for each format the bytes of some blocks and the bytes of their f32 values, base64.
Random bytes reach every bit pattern, NaN and infinite scales among them; the values must be equal bit for bit
(NaN as NaN).
Run: python tests/golden/make/gguf_blocks.py   (needs gguf, numpy)
"""

import base64

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from provenance import provenance, write_golden

FORMATS = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
BLOCKS = {1: 64, 32: 24, 256: 6}


def base64_of(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def main():
    random = np.random.default_rng(7)
    formats = {}
    for name in FORMATS:
        kind = GGMLQuantizationType[name]
        values, size = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (BLOCKS[values], size), dtype=np.uint8)
        with np.errstate(all="ignore"):
            expected = dequantize(blocks.reshape(1, -1), kind).astype(np.float32)
        formats[name] = {"type": int(kind), "blocks": base64_of(blocks), "values": base64_of(expected)}
    content = provenance(__file__, "gguf's dequantize", ["gguf", "numpy"])
    write_golden("gguf-blocks.json", {**content, "formats": formats})


main()
