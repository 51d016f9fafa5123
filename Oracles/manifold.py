"""Neighbour distances, local PCA residuals, spectral slopes and pixel histograms, by scikit-learn, NumPy and SciPy.

Neighbours by `NearestNeighbors`, the residual by `PCA` on the neighbours, the slope by NumPy's FFT, the distance of histograms by SciPy's
`wasserstein_distance` over the bins' centres.
"""

import numpy as np
import torch
from oracle import save, versions
from scipy.stats import wasserstein_distance
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

BINS = 64


def slope(picture):
    grey = picture.mean(0)
    h, w = grey.shape
    window = np.hanning(h)[:, None] * np.hanning(w)[None, :]
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    radius = np.rint(np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None, :]) * min(h, w)).astype(int)
    rings = range(2, min(h, w) // 2 + 1)
    means = [power[radius == r].mean() for r in rings]
    return np.polyfit(np.log(rings), np.log(means), 1)[0]


def histograms(picture):
    return [np.histogram(np.clip(c, 0, 1), bins=BINS, range=(0, 1))[0] for c in picture]


def wasserstein(a, b):
    centres = (np.arange(BINS) + 0.5) / BINS
    return np.mean([wasserstein_distance(centres, centres, x, y) for x, y in zip(a, b)])


def natural(rng, h, w, alpha):
    """Three channels of noise whose amplitude falls with frequency to the power of alpha."""
    f = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None, :])
    f[0, 0] = 1
    field = np.real(np.fft.ifft2(np.fft.fft2(rng.standard_normal((3, h, w))) / f**alpha))
    return 0.5 + 0.2 * field / field.std()


def main():
    rng = np.random.default_rng(5)
    tensors = {}
    for name, n, features, k, d in (("wide", 40, 60, 10, 5), ("narrow", 30, 4, 6, 3), ("few", 12, 200, 10, 9)):
        points = rng.standard_normal((n, features)) @ np.diag(np.linspace(2, 0.1, features))
        queries = np.concatenate([rng.standard_normal((4, features)), points[:2] + 0.1])
        distances, rows = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(queries)
        residuals = []
        for query, near in zip(queries, rows):
            pca = PCA(n_components=d).fit(points[near])
            back = pca.inverse_transform(pca.transform(query[None]))
            residuals.append(np.linalg.norm(query - back[0]))
        tensors |= {
            f"near/{name}/points": points, f"near/{name}/queries": queries, f"near/{name}/distances": distances,
            f"near/{name}/rows": rows.astype(np.int64), f"near/{name}/residuals": np.array(residuals),
        }
    pictures = {
        "white": rng.random((3, 32, 32)), "pink": natural(rng, 33, 40, 1), "brown": natural(rng, 24, 31, 1.5),
        "outside": 0.5 + rng.standard_normal((3, 16, 20)),
    }
    reference = histograms(rng.beta(2, 3, (3, 50, 50)))
    tensors["histogram/reference"] = np.array(reference, dtype=np.float64)
    for name, picture in pictures.items():
        own = histograms(picture)
        tensors[f"picture/{name}"] = picture
        tensors[f"picture/{name}/counts"] = np.array(own, dtype=np.float64)
        tensors[f"picture/{name}/values"] = np.array([slope(picture), wasserstein(own, reference)])
    save(
        "inversion/manifold.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()},
        {"script": "Oracles/manifold.py", "versions": versions("scipy", "scikit-learn"), "seed": "5",
         "notes": "picture/*/values: spectral slope, Wasserstein distance of the histograms from histogram/reference"},
    )


if __name__ == "__main__":
    main()
