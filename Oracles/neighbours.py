"""Measures on distances and on neighbours in float64 NumPy, by the definitions: no product tricks, no short cuts.

Beside packages where they can be imported (another NumPy than torch's may be needed: the fixture does not depend on them):
dadapy 0.3.4 (information imbalance, neighbourhood overlap), dcor 0.7 and hyppo 0.5.2 (distance correlation), rsatoolbox 0.3.2 (RSA).
"""

import itertools

import numpy as np
from scipy import stats

SEED = 601


def euclidean(x):
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))


def unit(x):
    return x / np.sqrt((x**2).sum(1, keepdims=True))


def cosine(x):
    return 1 - unit(x) @ unit(x).T


def triangle(m):
    return m[np.triu_indices(len(m), 1)]


# Distances


def correlation(x):
    """One minus Pearson's correlation of rows."""
    return 1 - np.corrcoef(x)


def rsa(x, y, inner, outer):
    a, b = triangle(inner(x)), triangle(inner(y))
    if outer == "cosine":
        return a @ b / np.sqrt((a @ a) * (b @ b))
    return {"spearman": stats.spearmanr, "pearson": stats.pearsonr, "kendall": stats.kendalltau}[outer](a, b)[0]


def rsm_norm_difference(x, y, norm):
    d = euclidean(x) - euclidean(y)
    return {"frobenius": np.sqrt((d**2).sum()), "triangle": np.sqrt((triangle(d) ** 2).sum()), "spectral": np.linalg.norm(d, 2)}[norm]


def distance_correlation(x, y):
    n = len(x)
    h = np.eye(n) - 1 / n
    a, b = h @ euclidean(x) @ h, h @ euclidean(y) @ h
    return np.sqrt((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def bias_corrected_distance_correlation(x, y):
    def centred(d):
        n = len(d)
        d = d - d.sum(0)[None] / (n - 2) - d.sum(1)[:, None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
        return d - np.diag(np.diag(d))

    a, b = centred(euclidean(x)), centred(euclidean(y))
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


# Neighbours


def neighbours(d, k):
    """The k nearest of every row, itself left out, ties by the lowest index."""
    d = d.copy()
    np.fill_diagonal(d, np.inf)
    return np.argsort(d, axis=1, kind="stable")[:, :k]


def ranks(d):
    """1 + the number of smaller distances, itself left out; the diagonal is 0."""
    n = len(d)
    return np.array([[0 if i == j else 1 + sum(d[i, l] < d[i, j] for l in range(n) if l != i) for j in range(n)] for i in range(n)])


def mutual(a, b, k):
    return np.mean([len({*p} & {*q}) / k for p, q in zip(a, b)])


def jaccard(a, b):
    return np.mean([len({*p} & {*q}) / len({*p} | {*q}) for p, q in zip(a, b)])


def second_order_cosine(x, y, a, b):
    s, t = unit(x) @ unit(x).T, unit(y) @ unit(y).T
    total = 0
    for i, (p, q) in enumerate(zip(a, b)):
        j = sorted({*p} | {*q})
        total += s[i, j] @ t[i, j] / np.sqrt((s[i, j] @ s[i, j]) * (t[i, j] @ t[i, j]))
    return total / len(a)


def rank_similarity(a, b, joint):
    total = 0
    for p, q in zip(a.tolist(), b.tolist()):
        common = {*p} & {*q}
        if not common:
            continue
        r = [(p.index(j) + 1, q.index(j) + 1) for j in common]
        value = sum(2 / ((1 + abs(u - v)) * (u + v)) for u, v in r) / sum(1 / m for m in range(1, len(r) + 1))
        total += value * (len(common) / len({*p} | {*q}) if joint else 1)
    return total / len(a)


def cycle(a, b):
    return np.mean([any(i in a[j] for j in q) for i, q in enumerate(b)])


def lcs(p, q):
    table = np.zeros((len(p) + 1, len(q) + 1), int)
    for u, v in itertools.product(range(len(p)), range(len(q))):
        table[u + 1, v + 1] = table[u, v] + 1 if p[u] == q[v] else max(table[u, v + 1], table[u + 1, v])
    return table[-1, -1]


def edit(p, q):
    """Levenshtein's distance: insertions, deletions and substitutions cost one each."""
    table = np.add.outer(np.arange(len(p) + 1), np.arange(len(q) + 1))
    for u, v in itertools.product(range(len(p)), range(len(q))):
        table[u + 1, v + 1] = min(table[u, v] + (p[u] != q[v]), table[u, v + 1] + 1, table[u + 1, v] + 1)
    return table[-1, -1]


def cknna(x, y, a, b):
    n = len(x)
    k, l = unit(x) @ unit(x).T, unit(y) @ unit(y).T

    def hsic(k, l, a, b):
        mask = np.zeros((n, n))
        for i, (p, q) in enumerate(zip(a, b)):
            mask[i, sorted({*p} & {*q})] = 1
        k, l = k * mask, l * mask
        return (k * l.T).sum() + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ l).sum()

    return hsic(k, l, a, b) / np.sqrt(hsic(k, k, a, a) * hsic(l, l, b, b))


def imbalance(da, db, k, zero=False):
    n, r = len(da), ranks(db)
    mean = np.mean([r[i, j] for i, row in enumerate(neighbours(da, k)) for j in row])
    return 2 * (mean - 1) / (n - 2) if zero else 2 * mean / n


def everything(x, y, k, k_cknna):
    """Every measure's value for X and Y; of those that are not symmetric, Y and X too."""
    values = {}
    for inner, name in ((correlation, ""), (euclidean, "-euclidean")):
        for outer in ("spearman", "pearson", "kendall", "cosine"):
            values[f"rsa{name}" + ("" if outer == "spearman" else f"-{outer}")] = rsa(x, y, inner, outer)
    for norm in ("frobenius", "triangle", "spectral"):
        values["rsm-norm-difference" + ("" if norm == "frobenius" else f"-{norm}")] = rsm_norm_difference(x, y, norm)
    values["distance-correlation-biased"] = distance_correlation(x, y)
    values["distance-correlation"] = bias_corrected_distance_correlation(x, y)
    dx, dy = euclidean(x), euclidean(y)
    cx, cy = cosine(x), cosine(y)
    a, b = neighbours(cx, k), neighbours(cy, k)
    values[f"mutual-knn-k{k}"] = mutual(a, b, k)
    values[f"jaccard-k{k}"] = jaccard(a, b)
    values[f"neighbourhood-overlap-k{k}"] = mutual(neighbours(dx, k), neighbours(dy, k), k)
    values[f"second-order-cosine-k{k}"] = second_order_cosine(x, y, a, b)
    values[f"rank-similarity-k{k}"] = rank_similarity(a, b, False)
    values[f"rank-jaccard-k{k}"] = rank_similarity(a, b, True)
    values[f"cycle-knn-k{k}"], values[f"cycle-knn-k{k}/back"] = cycle(a, b), cycle(b, a)
    values[f"lcs-knn-k{k}"] = np.mean([lcs(p, q) for p, q in zip(a, b)])
    values[f"edit-knn-k{k}"] = 1 - np.mean([edit(p, q) for p, q in zip(a, b)]) / k
    p, q = neighbours(cx, k_cknna), neighbours(cy, k_cknna)
    name = "cknna" + ("" if k_cknna == 10 else f"-k{k_cknna}")
    values[name], values[f"{name}/back"] = cknna(x, y, p, q), cknna(y, x, q, p)
    for j in (1, 3, 5, 10):
        suffix = "" if j == 1 else f"-k{j}"
        there, back = imbalance(dx, dy, j), imbalance(dy, dx, j)
        values |= {f"information-imbalance{suffix}": there, f"information-imbalance{suffix}/back": back}
        values[f"information-imbalance-symmetric{suffix}"] = (there + back) / np.sqrt(2)
        for zero, word in ((False, ""), (True, "-zero-based")):
            for (m, n), distance in (((dx, dy), ""), ((cx, cy), "-cosine")):
                values[f"information-imbalance{word}{distance}{suffix}"] = imbalance(m, n, j, zero)
                values[f"information-imbalance{word}{distance}{suffix}/back"] = imbalance(n, m, j, zero)
    return values


def golden():
    i, j = np.arange(1, 25)[:, None], np.arange(6)[None]
    x = np.sin(0.98 * i * (j + 1)) + 0.5 * np.cos(0.45 * i + j)
    l = np.arange(4)[None]
    return x, 0.8 * np.tanh(x @ np.cos(np.arange(6)[:, None] + 2 * l)) + 0.3 * np.sin(0.53 * i * (l + 2))


def made_up(n, widths, seed, offset=0.0):
    """Three shared directions and noise; exact in float32. The last representation has an offset."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 3))
    xs = [latent @ rng.normal(size=(3, w)) + 0.6 * rng.normal(size=(n, w)) for w in widths]
    xs[-1] = xs[-1] + offset
    return [x.astype(np.float32).astype(np.float64) for x in xs]


def packages(x, y, values):
    """What the packages say of the golden pair, beside us."""
    print("relative differences from packages, golden pair")

    def line(name, found, expected):
        print(f"  {name:60} {abs(found - expected) / abs(expected):.1e}")

    try:
        import dcor

        line("dcor.distance_correlation", dcor.distance_correlation(x, y), values["distance-correlation-biased"])
        line("dcor.u_distance_correlation_sqr", dcor.u_distance_correlation_sqr(x, y), values["distance-correlation"])
    except ImportError:
        print("  dcor is not here")
    try:
        from hyppo.independence import CCA, RV, Dcorr

        line("hyppo Dcorr(bias=True)", Dcorr(bias=True).statistic(x, y), values["distance-correlation-biased"])
        line("hyppo Dcorr(bias=False)", Dcorr(bias=False).statistic(x, y), values["distance-correlation"])
        # Linear CKA, biased. hyppo's CCA is the same number: covariances are not whitened.
        line("hyppo RV", RV().statistic(x, y), 0.699222647056548)
        line("hyppo CCA, which is RV", CCA().statistic(x, y), 0.699222647056548)
    except ImportError:
        print("  hyppo is not here")
    try:
        import dadapy

        for k in (1, 3, 5, 10):
            data = [dadapy.Data(m.copy(), maxk=len(m) - 1) for m in (x, y)]
            for d in data:
                d.compute_distances(maxk=len(x) - 1)
            from dadapy._utils.metric_comparisons import _return_imbalance

            suffix = "" if k == 1 else f"-k{k}"
            rng = np.random.default_rng(0)
            there = _return_imbalance(data[0].dist_indices, data[1].dist_indices, rng, k=k)
            back = _return_imbalance(data[1].dist_indices, data[0].dist_indices, rng, k=k)
            line(f"dadapy imbalance k={k}", there, values[f"information-imbalance{suffix}"])
            line(f"dadapy imbalance k={k}, back", back, values[f"information-imbalance{suffix}/back"])
        m = dadapy.MetricComparisons(x.copy(), maxk=len(x) - 1)
        m.compute_distances(maxk=len(x) - 1)
        line("dadapy overlap k=5", m.return_data_overlap(y.copy(), k=5), values["neighbourhood-overlap-k5"])
    except ImportError:
        print("  dadapy is not here")
    try:
        import rsatoolbox

        sets = [rsatoolbox.data.Dataset(m) for m in (x, y)]
        for method, name in (("correlation", ""), ("euclidean", "-euclidean")):
            a, b = (rsatoolbox.rdm.calc_rdm(s, method=method) for s in sets)
            compared = [("spearman", ""), ("kendall", "-kendall")]
            if method == "correlation":
                compared += [("corr", "-pearson"), ("cosine", "-cosine")]
            for how, suffix in compared:
                line(f"rsatoolbox {method} {how}", float(rsatoolbox.rdm.compare(a, b, method=how)[0, 0]), values[f"rsa{name}{suffix}"])
    except ImportError:
        print("  rsatoolbox is not here")


SPECIFIED = {
    "rsa": 0.712101710877413, "rsa-pearson": 0.690826283140237, "rsa-kendall": 0.516205533596838,
    "rsa-euclidean": 0.641819037970349, "rsa-euclidean-pearson": 0.658477595062798, "rsa-euclidean-cosine": 0.958855292223053,
    "rsm-norm-difference": 26.4288553509804, "rsm-norm-difference-triangle": 18.6880228376766,
    "rsm-norm-difference-spectral": 23.0167189773962,
    "distance-correlation-biased": 0.85311873595034, "distance-correlation": 0.608563915617557,
    "mutual-knn-k5": 0.6, "jaccard-k5": 0.448412698412698, "neighbourhood-overlap-k5": 0.516666666666667,
    "second-order-cosine-k5": 0.626225591652479, "rank-similarity-k5": 0.329526695526696, "rank-jaccard-k5": 0.164367261045832,
    "cycle-knn-k5": 1.0, "lcs-knn-k5": 1.875, "edit-knn-k5": 0.166666666666667, "cknna": 0.714037299944582,
    "information-imbalance": 0.395833333333333, "information-imbalance/back": 0.364583333333333,
    "information-imbalance-k3": 0.530092592592593, "information-imbalance-k3/back": 0.524305555555556,
    "information-imbalance-k5": 0.561111111111111, "information-imbalance-k5/back": 0.545833333333333,
    "information-imbalance-zero-based": 0.340909090909091, "information-imbalance-zero-based/back": 0.306818181818182,
    "information-imbalance-cosine": 0.489583333333333, "information-imbalance-cosine/back": 0.378472222222222,
    "information-imbalance-symmetric": 0.537695781527270,
}


def main():
    tensors, facts = {}, {}
    pairs = {
        "golden": golden(),
        "sixty": made_up(60, (10, 7), SEED),
        "offset": made_up(61, (9, 12), SEED + 1, 100.0),
    }
    for name, (x, y) in pairs.items():
        values = everything(x, y, 5, 10)
        facts[name] = list(values)
        tensors |= {f"{name}/x": x, f"{name}/y": y, f"{name}/values": np.array(list(values.values()), dtype=np.float64)}
        if name == "golden":
            for key, value in SPECIFIED.items():
                assert abs(values[key] - value) < 3e-14 * max(1, abs(value)) * 10, (key, values[key], value)
            packages(x, y, values)
        for key, value in values.items():
            print(f"{name} {key} {value!r}" if name == "golden" else f"{name} {key} {value}")

    try:
        import torch
        from oracle import save, versions
    except ImportError:
        print("without torch there is no fixture")
        return
    save("similarity/neighbours.safetensors", {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in tensors.items()}, {
        "script": "Oracles/neighbours.py", "seed": str(SEED), "versions": versions("scipy"), "sets": facts,
        "notes": "SET/x, SET/y: rows are images, float64 (exact in float32 but for golden). SET/values: in the order of the names in "
        "`sets`; NAME/back exchanges the sides",
    })


if __name__ == "__main__":
    main()
