"""Writes tests/golden/safetensors.json: files made by Python's safetensors, and the values in them.

Run: python tests/golden/make/safetensors-files.py   (needs safetensors, numpy and torch)
"""
import base64, datetime, json, pathlib
import safetensors, safetensors.torch, torch

torch.manual_seed(0)
files = []
for tensors, metadata in [
    ({"a": torch.randn(2, 3), "b.weight": torch.randn(4), "scalar": torch.tensor(1.5), "empty": torch.zeros(0, 3)}, {"format": "pt"}),
    ({"half": torch.randn(3, 5).half(), "brain": torch.randn(7).bfloat16(), "single": torch.randn(2)}, None),
    ({"ids": torch.arange(5), "double": torch.randn(3).double(), "mask": torch.tensor([True, False])}, {"ä": "ö"}),
]:
    values = {name: [repr(v) for v in t.double().flatten().tolist()] for name, t in tensors.items()}
    dtypes = {name: str(t.dtype).removeprefix("torch.") for name, t in tensors.items()}
    shapes = {name: list(t.shape) for name, t in tensors.items()}
    data = base64.b64encode(safetensors.torch.save(tensors, metadata)).decode()
    files.append({"base64": data, "metadata": metadata or {}, "dtypes": dtypes, "shapes": shapes, "values": values})
out = {
    "madeBy": "safetensors", "version": safetensors.__version__, "script": "tests/golden/make/safetensors-files.py",
    "date": datetime.date.today().isoformat(), "files": files,
}
path = pathlib.Path(__file__).parent.parent / "safetensors.json"
path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
