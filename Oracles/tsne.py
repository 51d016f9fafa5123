"""t-SNE by scikit-learn's exact method, part by part: affinities, cost and gradient, steps, the schedule, and whole descents.

Affinities twice: as scikit-learn has them (float32 distances, entropies to 1e-5), and with SciPy's `brentq` on the definition in float64, from which all that
follows is made. The descent is scikit-learn's own `_gradient_descent` with the schedule of `TSNE._tsne`. It is chaotic: starts that differ by 1e-13 are at other maps after forty steps.
So steps and the schedule are few, and of whole descents there is the range of 24 from starts 1e-9 apart.
"""

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.manifold._t_sne import _gradient_descent, _joint_probabilities, _kl_divergence

from oracle import save, versions

SEED = 2008
PERPLEXITY = 10.0


def affinities(x, perplexity):
    """p_ij by the definition: the root of each row's entropy less the logarithm of the perplexity."""
    n, squares = len(x), squareform(pdist(x, "sqeuclidean"))
    conditional = np.zeros((n, n))
    for i in range(n):
        others = np.arange(n) != i
        d = squares[i, others]
        d = (d - d.min()) / d.mean()

        def row(log_beta):
            p = np.exp(-np.exp(log_beta) * d)
            p /= p.sum()
            return p

        def excess(log_beta):
            p = row(log_beta)
            return -(p[p > 0] * np.log(p[p > 0])).sum() - np.log(perplexity)

        conditional[i, others] = row(brentq(excess, -10, 20, xtol=1e-14, rtol=1e-14))
    return (conditional + conditional.T) / (2 * n)


def descend(p, y, n, iterations=1000, explored=250, exaggeration=12.0):
    """The schedule of `TSNE._tsne` from given affinities."""
    rate = max(n / exaggeration / 4, 50)
    given = dict(n_iter_check=50, min_grad_norm=1e-7, learning_rate=rate)
    arguments = lambda factor: dict(args=[p * factor, 1, n, 2], kwargs={})
    y, _, it = _gradient_descent(_kl_divergence, y.ravel().copy(), it=0, max_iter=explored, n_iter_without_progress=250, momentum=0.5, **given, **arguments(exaggeration))
    y, cost, it = _gradient_descent(_kl_divergence, y, it=it + 1, max_iter=iterations, n_iter_without_progress=300, momentum=0.8, **given, **arguments(1.0))
    return y.reshape(n, 2), cost, it + 1


def main():
    rng = np.random.default_rng(SEED)
    tensors = {}

    def put(name, value):
        tensors[name] = torch.from_numpy(np.ascontiguousarray(value))

    sizes = [18, 12, 20]
    labels = np.repeat(np.arange(3), sizes)
    x = rng.normal(size=(3, 7))[labels] * 2 + rng.normal(size=(len(labels), 7)) * np.array([0.4, 0.8, 1.1])[labels, None]
    n = len(x)
    put("features", x)
    start = PCA(2, svd_solver="full").fit_transform(x)
    start = start / start[:, 0].std() * 1e-4
    put("start", start)
    exact = affinities(x, PERPLEXITY)
    put("affinities", exact[np.triu_indices(n, 1)])
    known = _joint_probabilities(squareform(pdist(x, "sqeuclidean")), PERPLEXITY, 0)
    put("affinities/scikit-learn", known)
    p = squareform(exact)

    # Cost and gradient where points are spread, with and without exaggeration.
    y = rng.normal(size=(n, 2)) * 3
    put("points", y)
    for name, factor in (("plain", 1.0), ("exaggerated", 12.0)):
        cost, gradient = _kl_divergence(y.ravel(), p * factor, 1, n, 2)
        put(f"{name}/cost", np.array([cost]))
        put(f"{name}/gradient", gradient.reshape(n, 2))

    # Some steps from the start.
    for steps in (1, 5, 15):
        found, cost, _ = _gradient_descent(_kl_divergence, start.ravel().copy(), it=0, max_iter=steps, momentum=0.5, learning_rate=50.0, args=[p * 12, 1, n, 2], kwargs={})
        put(f"steps/{steps}", found.reshape(n, 2))

    # The schedule, shortened; whole descents; and some steps at the end of one.
    put("schedule/points", descend(p, start, n, iterations=16, explored=8)[0])
    wholes = []
    for _ in range(24):
        found, cost, taken = descend(p, start * (1 + 1e-9 * rng.normal(size=start.shape)), n)
        wholes.append((cost, trustworthiness(x, found, n_neighbors=5)))
        assert taken == 1000
    put("whole/costs", np.array(wholes)[:, 0])
    put("whole/trustworthiness", np.array(wholes)[:, 1])
    put("whole/points", found)
    late = lambda y: _gradient_descent(_kl_divergence, y, it=0, max_iter=30, momentum=0.8, learning_rate=50.0, args=[p, 1, n, 2], kwargs={})[0]
    put("late/points", late(found.ravel().copy()).reshape(n, 2))
    print(np.abs(late(found.ravel() * (1 + 1e-12)) - late(found.ravel().copy())).max(), wholes)
    tsne = TSNE(method="exact", init=start.copy(), perplexity=PERPLEXITY, random_state=0)
    tsne.fit(x)
    print(tsne.kl_divergence_, np.abs(known - p).max() / p.max())

    save("kstar/tsne.safetensors", tensors, {"versions": versions("scipy", "scikit-learn"), "seed": str(SEED), "perplexity": str(PERPLEXITY)})


main()
