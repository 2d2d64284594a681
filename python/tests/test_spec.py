"""RunSpecs that are right, wrong, cut, changed or hostile: an error that names file and key, and no training."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from nextquill_torch.__main__ import work as run_worker
from nextquill_torch.faults import SpecFault
from nextquill_torch.schema import check, run_spec_schema
from nextquill_torch.spec import read_spec, sha256_of
from runs import GOLDEN, change, prepare

SPECS = GOLDEN / "run-specs"
ABOUT = json.loads((SPECS / "about.json").read_text())


@pytest.mark.parametrize("name", ABOUT["right"])
def test_right_specs_are_read(name):
    spec = read_spec(SPECS / name)
    assert len(spec.pairs) > 0
    if spec.task == "train":
        assert spec.plan.passes and len(spec.steps) == spec.content["totalSteps"]


@pytest.mark.parametrize("wrong", ABOUT["wrong"], ids=lambda wrong: wrong["file"])
def test_wrong_specs_are_refused_by_their_key(wrong):
    with pytest.raises(SpecFault) as caught:
        check(json.loads((SPECS / wrong["file"]).read_text()), run_spec_schema())
    assert caught.value.code == "spec/invalid"
    assert wrong["key"].split(".")[-1].split("[")[0] in caught.value.message


def _edit(run, name, edit):
    """Changes tensors of a file, and its record with them: what is wrong is the content."""
    path = run / "spec" / name
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)
    record = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    change(run, lambda spec: spec["files"].update({name: record}))


def _set(key, index, value):
    def edit(tensors):
        tensors[key][index] = value

    return edit


@pytest.mark.parametrize(
    ("name", "file", "edit", "word"),
    [
        ("nextquill", "pairs.safetensors", _set("response.values", 0, 61), "response.values"),
        ("nextquill", "pairs.safetensors", _set("withHistory.values", 3, -1), "withHistory.values"),
        ("nextquill", "pairs.safetensors", _set("response.offsets", 2, 10**9), "response.offsets"),
        ("nextquill", "pairs.safetensors", lambda t: t.pop("hasHistory"), "hasHistory"),
        ("js-gradient-masked", "pairs.safetensors", _set("fitted", slice(None), 0), "fitted"),
        ("nextquill", "plan.safetensors", _set("example", 0, 10), "example"),
        ("nextquill", "plan.safetensors", _set("step", 0, 3), "step"),
        ("nextquill", "plan.safetensors", _set("learningRate", 0, float("nan")), "learningRate"),
        ("nextquill", "initial.safetensors", lambda t: t.pop(sorted(t)[0]), "initial.safetensors"),
        ("nextquill", "initial.safetensors", lambda t: t[sorted(t)[0]].fill_(float("inf")), "initial.safetensors"),
        ("user-specific", "placebos.safetensors", _set("pair", 0, 99), "pair"),
        ("evaluated", "validation.safetensors", lambda t: t.pop("user"), "user"),
    ],
    ids=str,
)
def test_hostile_content_is_named_and_nothing_is_trained(name, file, edit, word, tmp_path):
    run = prepare(name, tmp_path)
    _edit(run, file, edit)
    assert run_worker(run) == 2
    end = json.loads((run / "spec" / "end.json").read_text())
    assert end["status"] == "failed" and end["code"] == "spec/content" and word in end["message"] and end["hint"]
    assert not (run / "steps.jsonl").exists() or (run / "steps.jsonl").read_text() == ""


def test_estimates_that_are_no_numbers_are_named(tmp_path):
    run = prepare("fixed", tmp_path)
    count = len(read_spec(run).pairs.response.values)
    names = ("logProbWithHistory", "logProbWithoutHistory", "divergence")
    save_file({name: torch.full((count,), float("nan")) for name in names}, run / "spec" / "estimates.safetensors")
    assert run_worker(run) == 2
    assert json.loads((run / "spec" / "end.json").read_text())["code"] == "spec/content"


def test_a_changed_byte_a_cut_file_and_a_lost_one_are_refused(tmp_path):
    for i, damage in enumerate((_flip, lambda path: path.write_bytes(path.read_bytes()[:-9]), lambda path: path.unlink())):
        run = prepare("nextquill", tmp_path / str(i))
        damage(run / "spec" / "pairs.safetensors")
        assert run_worker(run) == 2
        assert json.loads((run / "spec" / "end.json").read_text())["code"] == "spec/changed"
    shutil.rmtree(run / "spec")
    assert run_worker(run) == 2


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda spec: spec["objective"].update(passes="withHistory"), "spec/objective"),
        (lambda spec: spec["objective"].update(gradientWithoutHistory=False), "spec/objective"),
        (lambda spec: spec["objective"].update(preference=True), "spec/objective"),
        (lambda spec: spec["compute"].update(device="mps"), "engine/device"),
        (lambda spec: spec["compute"].update(attention="flash"), "engine/attention"),
        (lambda spec: spec["model"].update(path="/nowhere"), "model/unsupported"),
        (lambda spec: spec["model"].update(vocabularySize=62), "model/unsupported"),
        (lambda spec: spec["recipe"].update(baseBits=4), "engine/base-bits"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_done_is_refused(edit, code, tmp_path):
    run = prepare("nextquill", tmp_path)
    change(run, edit)
    assert run_worker(run) == 2
    assert json.loads((run / "spec" / "end.json").read_text())["code"] == code
