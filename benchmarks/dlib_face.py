"""Whether our dlib-face is the package's network: descriptors of faces by both, the package's in node.

    python run_bench.py weights get dlib-face
    python benchmarks/dlib_face.py --data-root data/ferplus     # a minute; benchmarks/results/dlib-face.json

npm installs the package and TensorFlow.js into a temporary folder. The faces are FERPlus test faces, enlarged to
150 px, and images of noise; only the differences are written.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from common.tools import about, parser, say, write
from PIL import Image
from safetensors.torch import load_file

from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.errors import UserError
from fer_bench.nets.dlib_face import DlibFace
from fer_bench.nets.statistics import give_statistics
from fer_bench.weights.catalog import DLIB_FACE, place

MEAN = (122.782, 117.001, 104.298)  # dlib's, of red, green and blue
FACES, NOISE, SIZE = 24, 4, 150
PACKAGES = (DLIB_FACE.spec, "@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0")


def images(root: Path, cache: Path) -> np.ndarray:
    """uint8 [N, 150, 150, 3]: faces evenly spaced in the test set, and noise."""
    test = open_dataset(ask("ferplus7", root), cache).test
    rows = np.arange(FACES) * len(test) // FACES
    faces = [np.asarray(Image.fromarray(np.asarray(test.images[row])).convert("RGB").resize((SIZE, SIZE)))
             for row in rows]
    noise = np.random.default_rng(0).integers(0, 256, (NOISE, SIZE, SIZE, 3), dtype=np.uint8)
    return np.concatenate([np.stack(faces), noise])


def theirs(pixels: np.ndarray, folder: Path) -> np.ndarray:
    """The package's descriptors [N, 128]. Raises UserError without npm and node."""
    if not shutil.which("npm") or not shutil.which("node"):
        raise UserError("benchmarks/dlib_face.py needs npm and node; install them")
    script = shutil.copy(Path(__file__).parent / "port" / "descriptors.cjs", folder)
    pixels.tofile(folder / "images.bin")
    subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit", *PACKAGES], cwd=folder, check=True)
    subprocess.run(["node", script, "images.bin", "out.json"], cwd=folder, check=True, capture_output=True)
    return np.array(json.loads((folder / "out.json").read_text()))


@torch.no_grad()
def ours(pixels: np.ndarray, state: dict[str, torch.Tensor], statistics: bool) -> np.ndarray:
    """Our descriptors [N, 128]; ``statistics``: after batch norm was put in."""
    trunk = DlibFace(3).eval()
    trunk.load_state_dict({key: value for key, value in state.items() if key != "fc.weight"}, strict=False)
    faces = ((torch.from_numpy(pixels).float() - torch.tensor(MEAN)) / 255).permute(0, 3, 1, 2).contiguous()
    if statistics:
        give_statistics(trunk, faces)
    found: np.ndarray = (trunk.forward_features(faces).mean((2, 3)) @ state["fc.weight"].T).numpy()
    return found


def main() -> None:
    words = parser(__doc__, "dlib-face")
    words.add_argument("--data-root", type=Path, required=True, help="the folder of FERPlus")
    words.add_argument("--cache", type=Path, default=Path("cache"))
    given = words.parse_args()
    pixels = images(given.data_root, given.cache)
    state = load_file(place(DLIB_FACE, given.cache))
    with tempfile.TemporaryDirectory() as scratch:
        say("installing the package and running it in node ...")
        expected = theirs(pixels, Path(scratch))
    plain, normed = (ours(pixels, state, statistics) for statistics in (False, True))
    found = {"images": len(pixels), "of them faces": FACES, "largest value": float(np.abs(expected).max()),
             "largest difference": float(np.abs(plain - expected).max()),
             "largest difference with batch norm": float(np.abs(normed - expected).max()), "packages": PACKAGES}
    print(write({**about(), "port": found}, given.out))


if __name__ == "__main__":
    main()
