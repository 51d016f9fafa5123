"""Descriptive and topological measures, intrinsic dimensions and spectra in float64 NumPy, by their definitions.

`descriptive.py` writes the fixture. `descriptive.py check` holds the same definitions against DADApy and scikit-dimension,
where these are installed (they pin an older NumPy than `requirements.txt`, so in an environment of their own), and writes
nothing.
"""

import sys

import numpy as np
from scipy.optimize import brentq
from scipy.sparse.csgraph import minimum_spanning_tree

SEED = 1905


def distances(x):
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))


def neighbours(x, k):
    """Distances to the k nearest others, ascending, and who they are; ties by the lower index."""
    d = distances(x)
    np.fill_diagonal(d, np.inf)
    order = np.argsort(d, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(d, order, 1), order


def magnitude(x):
    return np.linalg.norm(x.mean(0))


def uniformity(x):
    return np.log(np.exp(-2 * distances(x) ** 2).mean())


def concentricity(x):
    m = x.mean(0)
    return ((x @ m) / np.linalg.norm(x, axis=1) / np.linalg.norm(m)).mean()


TIMES = np.logspace(-1, 1, 256)


def heat(x, k=5):
    """Traces of the heat kernel over N, from all eigenvalues of the normalised Laplacian of the kNN graph."""
    n = len(x)
    a = np.zeros((n, n))
    a[np.arange(n)[:, None], neighbours(x, k)[1]] = 1
    a = np.maximum(a, a.T)
    degree = a.sum(1)
    laplacian = np.eye(n) - a / np.sqrt(degree[:, None] * degree[None])
    return np.exp(-np.outer(TIMES, np.linalg.eigvalsh(laplacian))).mean(1)


def imd(x, y):
    return 1e6 * (np.exp(-2 * (TIMES + 1 / TIMES)) * np.abs(heat(x) - heat(y))).max()


def scaled(x):
    d = distances(x)
    return d / np.quantile(d, 0.9)


def tree(d):
    return minimum_spanning_tree(d).sum()


def rtd_lite(x, y):
    """MST weight of the first graph less that of the element-wise minimum."""
    a, b = scaled(x), scaled(y)
    return tree(a) - tree(np.minimum(a, b))


def rtd_lite_barcode(x, y):
    """The same as a sum of intervals: an edge of the minimum's tree is born with its weight, and dies when the first graph joins its ends."""
    a, b = scaled(x), scaled(y)
    c = np.minimum(a, b)
    rows, columns = np.nonzero(minimum_spanning_tree(c).toarray())
    edges = sorted(zip(c[rows, columns], rows, columns))
    n, total = len(x), 0.0
    labels = np.arange(n)
    own = sorted((a[i, j], i, j) for i in range(n) for j in range(i))
    for birth, i, j in edges:
        merged = labels.copy()
        for death, p, q in own:
            merged[merged == merged[q]] = merged[p]
            if merged[i] == merged[j]:
                break
        total += death - birth
        labels[labels == labels[j]] = labels[i]
    return total


def two_nn(x):
    r, _ = neighbours(x, 2)
    return (len(x) - 1) / np.log(r[:, 1] / r[:, 0]).sum()


def two_nn_fit(x, kept=0.9):
    r, _ = neighbours(x, 2)
    n, count = len(x), int(len(x) * kept)
    log_mu = np.sort(np.log(r[:, 1] / r[:, 0]))[:count]
    y = -np.log(1 - np.arange(1, count + 1) / n)
    return (log_mu * y).sum() / (log_mu**2).sum()


def gride(x, n1):
    """The root of the likelihood's derivative with N - 1 in place of N, and 1/sqrt of the observed information."""
    r, _ = neighbours(x, 2 * n1)
    log_mu, n = np.log(r[:, 2 * n1 - 1] / r[:, n1 - 1]), len(x)

    def slope(d):
        return (n - 1) / d - (((1 - n1) / -np.expm1(-d * log_mu) + 2 * n1 - 1) * log_mu).sum()

    d = brentq(slope, 1e-3, 1e3, xtol=1e-14, rtol=8.9e-16, maxiter=1000)
    decay = np.exp(-d * log_mu)
    information = n / d**2 + ((n1 - 1) * log_mu**2 * decay / (1 - decay) ** 2).sum()
    return d, information**-0.5


def levina_bickel(x, k):
    r, _ = neighbours(x, k)
    return 1 / (np.log(r[:, -1:] / r[:, :-1]).sum(1) / (k - 1)).mean()


def spectrum(x):
    """Eigenvalues of the covariance (over N - 1) above the rank tolerance, descending."""
    sigma = np.linalg.svd(x - x.mean(0), compute_uv=False)
    sigma = sigma[sigma > sigma[0] * max(x.shape) * np.finfo(float).eps]
    return sigma**2 / (len(x) - 1)


def participation_ratio(x):
    c = np.cov(x.T)
    return np.trace(c) ** 2 / np.trace(c @ c)


def effective_rank(x, eigenvalues=False):
    p = spectrum(x) if eigenvalues else np.sqrt(spectrum(x))
    p = p / p.sum()
    return np.exp(-(p * np.log(p)).sum())


def decay(x, first, last):
    """Slope of log λ on -log rank, weighted by 1 / rank."""
    s = spectrum(x)
    rank = np.arange(first, min(last, len(s)) + 1)
    slope, _ = np.polyfit(np.log(rank), np.log(s[rank - 1]), 1, w=rank**-0.5)
    return -slope


def golden():
    i, j, l = np.arange(1, 25)[:, None], np.arange(6)[None], np.arange(4)[None]
    x = np.sin(0.98 * i * (j + 1)) + 0.5 * np.cos(0.45 * i + j)
    return x, 0.8 * np.tanh(x @ np.cos(np.arange(6)[:, None] + 2 * l)) + 0.3 * np.sin(0.53 * i * (l + 2))


def made_up(n, widths, seed, noise):
    """Shared latent directions and noise, exact in float32."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 4))
    xs = [0.3 * (latent @ rng.normal(size=(4, w)) + noise * rng.normal(size=(n, w)) + rng.normal(size=w)) for w in widths]
    return [x.astype(np.float32).astype(np.float64) for x in xs]


def sets():
    wide = made_up(100, (40, 25), SEED + 1, 0.7)
    return {"golden": golden(), "sixty": made_up(60, (10, 7), SEED, 0.5), "wide": (wide[0], wide[1][:70])}


def pairs(x, y):
    both = {"magnitude-difference": abs(magnitude(x) - magnitude(y)), "uniformity-difference": abs(uniformity(x) - uniformity(y)),
            "concentricity-difference": abs(concentricity(x) - concentricity(y)), "imd": imd(x, y)}
    if len(x) == len(y):
        there, back = rtd_lite(x, y), rtd_lite(y, x)
        assert abs(there - rtd_lite_barcode(x, y)) < 1e-12 and abs(back - rtd_lite_barcode(y, x)) < 1e-12
        both |= {"rtd-lite": (there + back) / 2, "rtd-lite-directed": there}
    return both


def alone(x):
    values = {"two-nn": two_nn(x), "two-nn-fit": two_nn_fit(x), "levina-bickel-10": levina_bickel(x, 10), "levina-bickel": levina_bickel(x, 20),
              "participation-ratio": participation_ratio(x), "effective-rank": effective_rank(x),
              "effective-rank-eigenvalues": effective_rank(x, True), "spectral-decay-2-to-6": decay(x, 2, 6)}
    if len(spectrum(x)) >= 13:
        values["spectral-decay"] = decay(x, 11, 500)
    for n1 in (1, 2, 4, 8, 16, 32):
        if 2 * n1 < len(x):
            values[f"gride-{n1}"], values[f"gride-{n1}/error"] = gride(x, n1)
    assert abs(values["gride-1"] / values["two-nn"] - 1) < 1e-12
    return values


def check():
    import dadapy
    import skdim

    for name, xs in sets().items():
        for x in xs:
            data = dadapy.Data(coordinates=x)
            data.compute_distances(maxk=len(x) - 1)
            gaps = {"DADApy two-nn": data.compute_id_2NN("ml")[0] / two_nn(x) - 1, "DADApy two-nn-fit": data.compute_id_2NN()[0] / two_nn_fit(x) - 1}
            ids, errors, _ = data.return_id_scaling_gride(range_max=next(r for r in (64, 32, 16) if r < len(x)), eps=1e-12)
            for step, (value, error) in enumerate(zip(ids, errors)):
                own, own_error = gride(x, 2**step)
                gaps[f"DADApy gride-{2 ** step}"], gaps[f"DADApy gride-{2 ** step} error"] = value / own - 1, error / own_error - 1
            gaps["skdim two-nn-fit"] = skdim.id.TwoNN(discard_fraction=0.1).fit(x).dimension_ / two_nn_fit(x) - 1
            gaps["skdim two-nn"] = skdim.id.TwoNN(discard_fraction=0, method="mle").fit(x).dimension_ / two_nn(x) - 1
            for k in (10, 20):
                gaps[f"skdim levina-bickel-{k}"] = skdim.id.MLE().fit(x, n_neighbors=k, comb="mle").dimension_ / levina_bickel(x, k) - 1
            print(name, x.shape, {k: f"{v:.1e}" for k, v in gaps.items()})


def main():
    import torch
    from oracle import save, versions

    x, y = golden()
    assert abs(pairs(x, y)["magnitude-difference"] - 0.000148894273303585) < 1e-16
    assert abs(pairs(x, y)["uniformity-difference"] - 0.981548381607567) < 1e-13
    assert abs(pairs(x, y)["concentricity-difference"] - 0.0429020859569548) < 1e-14
    assert abs(two_nn(x) - 1.79630087851297) < 1e-13 and abs(two_nn_fit(x) - 1.92552682937978) < 1e-13
    assert abs(participation_ratio(x) - 4.96404290956215) < 1e-13
    tensors = {}
    for name, xs in sets().items():
        for side, features in enumerate(xs):
            tensors[f"{name}/x{side}"] = features if name == "golden" else features.astype(np.float32)
            tensors[f"{name}/spectrum{side}"] = spectrum(features)
            tensors |= {f"{name}/alone{side}/{k}": np.array(v) for k, v in alone(features).items()}
        tensors |= {f"{name}/pair/{k}": np.array(v) for k, v in pairs(*xs).items()}
    save("similarity/descriptive.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v, v.dtype)) for k, v in tensors.items()}, {
        "script": "Oracles/descriptive.py", "seed": str(SEED), "versions": versions("scipy"),
        "notes": "SET/x0, x1: rows are images (float32 where float32 is exact, else float64). SET/pair/MEASURE, SET/aloneSIDE/DESCRIPTION "
        "(and DESCRIPTION/error, its standard error), SET/spectrumSIDE in float64; the names are those of the catalogs",
    })
    for key, value in tensors.items():
        if key.startswith("golden/") and value.ndim == 0:
            print(key, repr(float(value)))


if __name__ == "__main__":
    check() if sys.argv[1:] == ["check"] else main()
