"""k* distributions: the authors' definition in NumPy, with SciPy's skewness; neighbours, silhouettes and maps by scikit-learn.

The authors' computation, transcribed from their notebook: the full matrix of Euclidean distances, an ascending sort of each row, the labels in that
order, and of these the place, from 0, of the first that differs from the first; divided by the size of the class; per class mean, standard deviation
and `scipy.stats.skew`. Where images coincide, an image need not stand first in its own row: those sets are counted by the definition instead, the image
left out by its index, for each way to break ties. Intervals are those of SciPy's `bootstrap`, corruptions torchvision's and ImageNet-C's formulas.
"""

import warnings

import numpy as np
import torch
from scipy.spatial.distance import cdist
from scipy.stats import bootstrap, norm, skew
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import KNeighborsClassifier

from oracle import halved, save, versions  # first: it makes torchvision importable
from torchvision.transforms.functional import gaussian_blur

SEED = 2312
K = 5


def authors(features, labels):
    """0-based place of the first label that differs from that at place 0, as the notebook has it."""
    order = np.argsort(cdist(features, features), axis=1, kind="stable")
    ordered = labels[order]
    return np.argmax(ordered != ordered[:, :1], axis=1)


def counted(distances, labels, bank, own, ties):
    """1 + the number of images of the own class before the first of another, by counting; `own` leaves out the image itself."""
    ranks = []
    for row, label in enumerate(labels):
        others = np.arange(distances.shape[1])
        if own:
            others = others[others != row]
        d = distances[row, others]
        foreign = (bank[others] != label).astype(int)
        tie = {"index": others, "pessimistic": -foreign, "optimistic": foreign}[ties]
        order = np.lexsort((tie, d))
        ranks.append(1 + int(np.argmax(foreign[order] == 1)))
    return np.array(ranks)


def nearest(distances, labels, own, ties, k):
    """The k nearest of each image, ties as asked for, then by index; and the first of another class."""
    lists, breakers = [], []
    for row, label in enumerate(labels):
        others = np.arange(distances.shape[1])
        if own:
            others = others[others != row]
        foreign = (labels[others] != label).astype(int)
        turn = {"index": 0 * foreign, "pessimistic": -foreign, "optimistic": foreign}[ties]
        order = others[np.lexsort((others, turn, distances[row, others]))]
        lists.append(order[:k])
        breakers.append(order[np.argmax(labels[order] != label)])
    return np.array(lists), np.array(breakers)


def statistics(ranks, labels, sizes):
    rows, pooled = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in np.unique(labels):
            values = ranks[labels == label] / sizes[label]
            pooled.append(values)
            rows.append([values.mean(), values.std(), skew(values), skew(values, bias=False), skew(np.r_[values, 0.0, 1.0])])
    rows, together = np.array(rows), np.concatenate(pooled)
    n = np.array([len(v) for v in pooled])
    mean, deviation = rows[:, 0].mean(), rows[:, 1].mean()
    space = [rows[:, 2].mean(), (n * rows[:, 2]).sum() / n.sum(), skew(together), (((together - mean) / deviation) ** 3).mean(), np.median(rows[:, 2])]
    return rows, np.array(space)


def hubness(lists, n):
    counts = np.bincount(lists.ravel(), minlength=n).astype(float)
    k, mean = lists.shape[1], counts.mean()
    gini = np.abs(counts[:, None] - counts[None]).sum() / (2 * n * counts.sum())
    atkinson = 1 - np.sqrt(counts).mean() ** 2 / mean
    return np.array([skew(counts), 0.5 * np.abs(counts - mean).sum() / counts.sum(), gini, atkinson, (counts == 0).mean(), (counts >= 2 * k).mean(), counts.max() / (n * k)])


def main():
    rng = np.random.default_rng(SEED)
    tensors = {}

    def put(name, value):
        tensors[name] = torch.from_numpy(np.ascontiguousarray(value))

    sizes = np.array([40, 25, 55, 12, 30])
    blobs = np.repeat(np.arange(5), sizes)
    centres = rng.normal(size=(5, 12)) * np.array([0.2, 0.6, 1.0, 1.5, 1.8])[:, None]
    sets = {
        "blobs": (centres[blobs] + rng.normal(size=(len(blobs), 12)), blobs),
        "wide": (rng.normal(size=(60, 80)) + 5, rng.integers(0, 3, 60)),
    }
    shuffled = rng.permutation(len(blobs))
    sets["blobs"] = (sets["blobs"][0][shuffled].astype(np.float32).astype(np.float64), blobs[shuffled])
    for name, (x, y) in sets.items():
        put(f"{name}/features", x)
        put(f"{name}/labels", y)
        euclidean = cdist(x, x)
        ranks = counted(euclidean, y, y, True, "index")
        assert (ranks == authors(x, y)).all()
        put(f"{name}/ranks/euclidean", ranks)
        for metric, known in (("cosine", "cosine"), ("manhattan", "cityblock")):
            put(f"{name}/ranks/{metric}", counted(cdist(x, x, known), y, y, True, "index"))
        rows, space = statistics(ranks, y, np.bincount(y))
        assert np.isfinite(rows).all()
        put(f"{name}/concepts", rows)
        put(f"{name}/space", space)
        np.fill_diagonal(euclidean, np.inf)
        lists = np.argsort(euclidean, axis=1, kind="stable")[:, :K]
        put(f"{name}/nearest", lists)
        right = []
        for row in range(len(y)):
            rest = np.arange(len(y)) != row
            right.append(KNeighborsClassifier(K).fit(x[rest], y[rest]).predict(x[row : row + 1])[0] == y[row])
        hits = (y[lists] == y[:, None]).mean(1)
        put(f"{name}/votes", np.array([np.mean(right), hits.mean(), np.mean([hits[y == c].mean() for c in np.unique(y)])]))
        put(f"{name}/hubness", hubness(lists, len(y)))
        for metric in ("euclidean", "cosine", "manhattan"):
            put(f"{name}/silhouettes/{metric}", silhouette_samples(x, y, metric=metric))
        pca = PCA(2, svd_solver="full").fit(x)
        points = pca.transform(x)
        put(f"{name}/map", points)
        put(f"{name}/variance", pca.explained_variance_ratio_)
        put(f"{name}/quality", np.array([trustworthiness(x, points, n_neighbors=K), trustworthiness(points, x, n_neighbors=K)]))

    # Whole numbers: many are equally far, and many coincide.
    x, y = rng.integers(0, 4, (90, 3)).astype(float), rng.integers(0, 4, 90)
    put("grid/features", x)
    put("grid/labels", y)
    for ties in ("index", "pessimistic", "optimistic"):
        put(f"grid/ranks/{ties}", counted(cdist(x, x, "sqeuclidean"), y, y, True, ties))
        put(f"grid/manhattan/{ties}", counted(cdist(x, x, "cityblock"), y, y, True, ties))
        lists, breakers = nearest(cdist(x, x, "sqeuclidean"), y, True, ties, 12)
        put(f"grid/nearest/{ties}", lists.astype(np.int32))
        put(f"grid/breakers/{ties}", breakers.astype(np.int32))
    put("grid/tied", np.array([(tensors["grid/ranks/pessimistic"] != tensors["grid/ranks/optimistic"]).sum().item()]))

    # Clusters so tight, and some images the same, that products in float32 tell nothing.
    x = np.repeat(rng.normal(size=(3, 16)) * 100, 30, 0) + rng.normal(size=(90, 16)) * 1e-3
    x[40:50] = x[40]
    x, y = x.astype(np.float32), rng.integers(0, 3, 90)
    exact = ((x[:, None].astype(np.float64) - x[None]) ** 2).sum(2)
    put("tight/features", x)
    put("tight/labels", y)
    put("tight/ranks", counted(exact, y, y, True, "index"))
    lists, breakers = nearest(exact, y, True, "index", 12)
    put("tight/nearest", lists.astype(np.int32))
    put("tight/breakers", breakers.astype(np.int32))
    np.fill_diagonal(exact, 0)
    put("tight/silhouettes", silhouette_samples(np.sqrt(exact), y, metric="precomputed"))

    # k* of which one is off by one: the moments about the mean keep their digits where raw powers lose them.
    counts = np.array([60, 1000, 3000, 5000, 100000])
    put("off/counts", counts)
    put("off/skewness", np.array([skew(np.r_[np.zeros(n - 1), -1.0]) for n in counts]))
    put("off/pooled", np.array([skew(np.r_[np.zeros(n - 1), -1.0 / n, np.zeros(n - 2), -1.0 / n, -2.0 / n]) for n in counts]))

    # Of values symmetric about their mean SciPy's acceleration is 0: its interval is then the bias-corrected one.
    values = np.r_[np.arange(1, 12), -np.arange(1, 12)] ** 3 / 100.0
    found = bootstrap((values,), np.mean, n_resamples=99, method="BCa", rng=np.random.default_rng(8))
    centre = norm.ppf((found.bootstrap_distribution < values.mean()).mean())
    assert 0.05 < abs(centre) < 1
    put("bootstrap/drawn", found.bootstrap_distribution)
    put("bootstrap/corrected", np.array([found.confidence_interval.low, found.confidence_interval.high]))
    put("bootstrap/normal", values.mean() + norm.ppf([0.025, 0.975]) * found.standard_error)

    # Wider and higher than what is decomposed as a whole.
    i, j = np.meshgrid(np.arange(1, 541), np.arange(1, 531), indexing="ij")
    x = np.sin(0.37 * i * j) + 3 * np.cos(0.011 * i) * np.sin(0.02 * j) + 2 * np.sin(0.03 * i) * np.cos(0.05 * j)
    pca = PCA(2, svd_solver="full").fit(x)
    put("large/map", pca.transform(x))
    put("large/variance", pca.explained_variance_ratio_)

    # Corruptions, of pixels prepared with the mean and standard deviation given.
    pixels = halved(torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(SEED)))
    mean, std = torch.tensor([0.5, 0.4, 0.3]).reshape(3, 1, 1), torch.tensor([0.2, 0.25, 0.5]).reshape(3, 1, 1)
    tensors["corrupted/pixels"] = pixels
    prepared = lambda images: ((images - mean) / std).contiguous()
    tensors["corrupted/blur 1.3"] = prepared(gaussian_blur(pixels, [9, 9], [1.3, 1.3]))
    centres = pixels.mean((2, 3), keepdim=True)
    tensors["corrupted/contrast 0.4"] = prepared((pixels - centres) * 0.4 + centres)
    tensors["corrupted/brightness 0.6"] = prepared(pixels * 0.6)

    # Queries among a bank in which they are not.
    x, y = sets["blobs"]
    bank, queries = np.arange(len(y)) % 3 != 0, np.arange(len(y)) % 3 == 0
    put("bank/ranks", counted(cdist(x[queries], x[bank]), y[queries], y[bank], False, "index"))

    save("kstar/kstar.safetensors", tensors, {"versions": versions("scipy", "scikit-learn", "torchvision"), "seed": str(SEED), "k": str(K)})


main()
