"""The information imbalance where images are equally far from one another: its expected value over random orders of them.

Ranks of the second side are SciPy's average ranks; the first side's k nearest are every choice that equal distances leave open, each as likely, by
enumeration. Jittered features, as DADApy advises where points coincide, give the same on average: a Python with dadapy prints by how many
standard errors its mean is away.
"""

import itertools

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

SEED = 2104
NEIGHBOURS = (1, 3, 5)


def squares(x):
    return cdist(x, x, "sqeuclidean")


def chosen(row, i, k):
    """All equally likely lists of the k nearest of image i."""
    others = np.delete(np.arange(len(row)), i)
    last = np.sort(row[others])[k - 1]
    nearer = others[row[others] < last].tolist()
    tied = others[row[others] == last].tolist()
    return [nearer + list(more) for more in itertools.combinations(tied, k - len(nearer))]


def expected(dx, dy, k):
    """The mean, over the orders of equally far images on both sides, of the rank in Y of the k nearest in X."""
    total = 0.0
    for i in range(len(dx)):
        others = np.delete(np.arange(len(dx)), i)
        ranks = np.zeros(len(dx))
        ranks[others] = rankdata(dy[i, others], method="average")
        total += np.mean([ranks[list(j)].mean() for j in chosen(dx[i], i, k)])
    return total / len(dx)


def imbalance(x, y, k, zero=False):
    n, mean = len(x), expected(squares(x), squares(y), k)
    return 2 * (mean - 1) / (n - 2) if zero else 2 * mean / n


def strict(x, y, k):
    """As the definition stands: SciPy's ranks by the minimum, and of equally near neighbours the one of the lowest index."""
    dx, dy = squares(x), squares(y)
    total = 0.0
    for i in range(len(x)):
        others = np.delete(np.arange(len(x)), i)
        ranks = np.zeros(len(x))
        ranks[others] = rankdata(dy[i, others], method="min")
        total += ranks[others[np.argsort(dx[i, others], kind="stable")[:k]]].mean()
    return 2 * total / len(x) ** 2


def pairs():
    random = np.random.default_rng(SEED)
    noise = lambda n, d: random.normal(size=(n, d)).astype(np.float32).astype(np.float64)
    whole = lambda n, d, top: random.integers(0, top, size=(n, d)).astype(np.float64)
    twice = noise(14, 4)
    scalar = np.maximum(0, noise(25, 1))
    return {
        "lattice": (whole(26, 2, 4), whole(26, 3, 3)),
        "mirrored": (np.concatenate([twice, twice]), noise(28, 5)),
        "scalar": (scalar, noise(25, 3) + scalar),
        "three": (np.repeat(noise(8, 6), 3, axis=0), np.concatenate([twice[:12], twice[:12]])),
    }


def jittered(x, y, k, draws=3000):
    """The mean over tiny noise, and its standard error, in NumPy; DADApy's where it is."""
    random = np.random.default_rng(1)
    try:
        import dadapy
        from dadapy._utils.metric_comparisons import _return_imbalance

        draws = 400
    except ImportError:
        dadapy = None
    values = []
    for _ in range(draws):
        a, b = (m + 1e-7 * random.normal(size=m.shape) for m in (x, y))
        if dadapy is None:
            da, db = squares(a), squares(b)
            for d in (da, db):
                np.fill_diagonal(d, -1)
            nearest, ranks = np.argsort(da, 1)[:, 1:k + 1], np.argsort(np.argsort(db, 1), 1)
            values.append(2 * np.take_along_axis(ranks, nearest, 1).mean() / len(x))
        else:
            data = [dadapy.Data(m, maxk=len(m) - 1) for m in (a, b)]
            for d in data:
                d.compute_distances(maxk=len(x) - 1)
            values.append(_return_imbalance(data[0].dist_indices, data[1].dist_indices, np.random.default_rng(0), k=k))
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(draws), "numpy" if dadapy is None else "dadapy"


def main():
    tensors, facts = {}, {}
    for name, (x, y) in pairs().items():
        values = {}
        for k in NEIGHBOURS:
            suffix = "" if k == 1 else f"-k{k}"
            for word, zero in (("", False), ("-zero-based", True)):
                values[f"information-imbalance-expected{word}{suffix}"] = imbalance(x, y, k, zero)
                values[f"information-imbalance-expected{word}{suffix}/back"] = imbalance(y, x, k, zero)
            values[f"strict{suffix}"] = strict(x, y, k)
            # At ties of unequal images on the first side noise may prefer one to another; equal rows are alike in every way.
            if name != "lattice":
                mean, error, who = jittered(x, y, k)
                found = values[f"information-imbalance-expected{suffix}"]
                print(f"{name} k={k}: {found:.6f}, {who} with noise {mean:.6f}, {abs(mean - found) / max(error, 1e-9):.1f} standard errors away")
        facts[name] = list(values)
        tensors |= {f"{name}/x": x, f"{name}/y": y, f"{name}/values": np.array(list(values.values()))}
        for key, value in values.items():
            print(name, key, repr(float(value)))
    try:
        import torch
        from oracle import save, versions
    except ImportError:
        print("without torch there is no fixture")
        return
    save("similarity/ties.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}, {
        "script": "Oracles/ties.py", "seed": str(SEED), "versions": versions("scipy"), "sets": facts,
        "notes": "SET/x, SET/y: rows are images, float64 exact in float32. SET/values: in the order of the names in `sets`; NAME/back exchanges the sides",
    })


if __name__ == "__main__":
    main()
