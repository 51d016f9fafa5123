"""What the hub's own client leaves in its cache: the layout that Parallax has to read and to write.

Runs huggingface_hub against Tests/Fixtures/hub/server.py with the repository that the Swift tests serve, and writes
down every file and link. `CACHEDIR.TAG`, a mark for backup programs, is left out.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

FIXTURE = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "hub"

with tempfile.TemporaryDirectory() as place:
    repository = Path(place, "served", "someone", "model")
    repository.mkdir(parents=True)
    (repository / "config.json").write_text('{"architecture": "resnet18"}')
    weights = bytes((i * 2654435761 >> 7) & 255 for i in range(300_000))
    (repository / "model.safetensors").write_bytes(weights)
    server = subprocess.Popen([sys.executable, FIXTURE / "server.py", Path(place, "served")],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{int(server.stdout.readline())}"
    os.environ["HF_HOME"] = str(Path(place, "home"))
    from huggingface_hub import hf_hub_download

    for name in ("config.json", "model.safetensors"):
        hf_hub_download("someone/model", name)
    server.stdin.close()
    server.wait()
    cache, layout = Path(place, "home", "hub"), {}
    for path in sorted(cache.rglob("*")):
        name = str(path.relative_to(cache))
        if path.is_symlink():
            layout[name] = f"link to {os.readlink(path)}"
        elif path.is_file() and path.name != "CACHEDIR.TAG":
            data = path.read_bytes()
            layout[name] = f"{len(data)} bytes" if len(data) > 100 else data.decode()

(FIXTURE / "layout.json").write_text(json.dumps(layout, indent=1, sort_keys=True) + "\n")
print(f"huggingface_hub {version('huggingface_hub')}: {len(layout)} files and links")

# What timm and torchvision call their weights: where timm's hub repository is not called as the model is, and how
# torchvision prepares images for the first weights of a name.
import oracle  # noqa: E402, F401  (lets torchvision import)
import timm  # noqa: E402
import torchvision.models as tv  # noqa: E402

places = {}
for name in timm.list_models(pretrained=True):
    place = (timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()).hf_hub_id or ""
    if place.startswith("timm/") and place not in ("timm/", f"timm/{name}"):
        places[name] = place
crops = {}
for name in tv.list_models(module=tv):
    preset = list(tv.get_model_weights(name))[0].transforms()
    crops[name] = [preset.resize_size[0], preset.crop_size[0], preset.interpolation.value, list(preset.mean), list(preset.std)]
names = {"versions": {p: version(p) for p in ("timm", "torchvision")}, "timm": places, "torchvision": crops}
(FIXTURE / "names.json").write_text(json.dumps(names, indent=1, sort_keys=True) + "\n")
print(f"timm: {len(places)} places, torchvision: {len(crops)} names")
