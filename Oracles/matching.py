"""Matching of embeddings: the published loop, Adam and PGD step by step, Gauss-Newton steps, principal coordinates, readers.

Bounded minima are SciPy's L-BFGS-B; walks along eigenvectors of the pullback metric come from the whole of it.

Descents run in float64 by PyTorch's autograd from a given x_0, through a small network with strides and tanh, whose weights lie in
the fixture. The loop is that of the published optimiser (mean squared error, clamp to the source's range, re-embedding after the
step), Adam torch.optim's, PGD after torchattacks' PGD and PGDL2; Gauss-Newton steps are solved with NumPy from the whole Jacobian of
torch.autograd.functional. Principal coordinates, neighbours, cosines with class means and the area under the
curve are scikit-learn's.
"""

import numpy as np
import torch
from oracle import save, versions
from scipy.optimize import minimize
from scipy.stats import binomtest
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

torch.set_default_dtype(torch.float64)


def network(weights):
    def forward(x):
        x = torch.tanh(torch.nn.functional.conv2d(x, weights["conv1"], weights["bias1"], stride=2, padding=1))
        return torch.nn.functional.conv2d(x, weights["conv2"], stride=2).flatten(1)

    return forward


def published(forward, source, target, rate, steps, forward_target=None):
    """The authors' loop; one image."""
    t = forward_target if forward_target is not None else forward(target).detach()
    low, high = source.min(), source.max()
    x = source.clone()
    rows = []
    for _ in range(steps):
        x = x.detach().requires_grad_(True)
        loss = torch.nn.functional.mse_loss(forward(x), t)
        (g,) = torch.autograd.grad(loss, x)
        x = torch.clamp(x.detach() - rate * g, low, high)
        with torch.no_grad():
            e = forward(x)
        rows.append([loss.item(), ((t - e) ** 2).sum().item(), torch.nn.functional.cosine_similarity(t, e).item(), (x - source).abs().sum().item()])
    return x.detach(), torch.tensor(rows)


def adam(forward, source, t, rate, steps):
    x = source.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([x], lr=rate[0])
    for i in range(steps):
        optimiser.param_groups[0]["lr"] = rate[0] * (100 - i) / 100 + rate[1] * i / 100
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(forward(x), t).backward()
        optimiser.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return x.detach()


def pgd(forward, source, t, alpha, epsilon, steps, euclidean):
    """The steps and projections of torchattacks' PGD and PGDL2, without a random start, descending on half the squared distance."""
    x = source.clone()
    for _ in range(steps):
        x = x.detach().requires_grad_(True)
        (g,) = torch.autograd.grad(0.5 * ((forward(x) - t) ** 2).sum(), x)
        with torch.no_grad():
            if euclidean:
                x = x - alpha * g / (g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10)
                delta = x - source
                norms = delta.flatten(1).norm(dim=1)
                delta = delta * torch.minimum(epsilon / norms, torch.ones_like(norms)).view(-1, 1, 1, 1)
            else:
                x = x - alpha * g.sign()
                delta = torch.clamp(x - source, -epsilon, epsilon)
            x = torch.clamp(source + delta, 0, 1)
    return x.detach()


def gauss_newton(forward, x, t, damping):
    """x − Jᵀ(JJᵀ + λI)⁻¹r with λ = damping · ⟨r, JJᵀr⟩/⟨r, r⟩."""
    j = torch.autograd.functional.jacobian(forward, x).reshape(t.shape[1], -1).numpy()
    r = (forward(x) - t)[0].detach().numpy()
    gram = j @ j.T
    scale = damping * (r @ gram @ r) / (r @ r)
    return x - torch.tensor(j.T @ np.linalg.solve(gram + scale * np.eye(len(r)), r)).reshape(x.shape)


def bounded(forward, source, t, delta):
    """min ½‖f(x) − t‖² within δ of the source and 0 to 1, by SciPy's L-BFGS-B; one image."""
    x0 = source.flatten().numpy()

    def loss(x):
        leaf = torch.from_numpy(x).reshape(source.shape).requires_grad_(True)
        value = 0.5 * ((forward(leaf) - t) ** 2).sum()
        (g,) = torch.autograd.grad(value, leaf)
        return value.item(), g.flatten().numpy()

    box = list(zip(np.maximum(x0 - delta, 0), np.minimum(x0 + delta, 1)))
    found = minimize(loss, x0, jac=True, method="L-BFGS-B", bounds=box, options={"maxiter": 5000, "maxfun": 20000, "ftol": 1e-15, "gtol": 1e-10})
    print("L-BFGS-B", delta, found.fun, found.nit, found.nfev, found.message)
    return torch.from_numpy(found.x).reshape(source.shape), found.fun


def pullback_walk(forward, source, threshold, multiplier, draws, same):
    """SiMEC and SiMExp on pixels from the whole G = JᵀJ, decomposed by eigh: a random vector's part in the space of eigenvalues below the threshold,
    or one of those above it in ascending order, its largest number positive, forwards or backwards."""
    x, rows, notes = source.clone(), [], []
    for place, back, vector in zip(*draws):
        j = torch.autograd.functional.jacobian(lambda y: forward(y)[0], x).reshape(-1, x.numel())
        values, vectors = torch.linalg.eigh(j.T @ j)
        if same:
            null = vectors[:, values < threshold]
            v = null @ (null.T @ vector)
            v = v / v.norm()
        else:
            above = torch.nonzero(values > threshold).flatten()
            v = vectors[:, above[int(place * len(above))]]
            v = v * v[v.abs().argmax()].sign() * (-1 if back else 1)
        delta = multiplier / torch.sqrt(values.max() / (values.min() + 1e-6))
        notes.append([delta.item(), (v @ (j.T @ (j @ v))).item()])
        x = (x + delta * v.reshape(x.shape)).clamp(0, 1)
        rows.append(x)
    return torch.cat(rows), torch.tensor(notes)


def several(forward, source, targets, rate, steps):
    """The authors' form with several targets: each rescaled to the range of the first embedding, (k/m)·MSE averaged over them, the last one
    noted; one image."""
    first = forward(source).detach()
    scaled = [first.min() + (t - t.min()) * (first.max() - first.min()) / (t.max() - t.min()) for t in targets]
    low, high = source.min(), source.max()
    x = source.clone()
    rows = []
    for _ in range(steps):
        x = x.detach().requires_grad_(True)
        e = forward(x)
        losses = [(k + 1) / len(scaled) * torch.nn.functional.mse_loss(e, t) for k, t in enumerate(scaled)]
        loss = sum(losses) / len(losses)
        (g,) = torch.autograd.grad(loss, x)
        x = torch.clamp(x.detach() - rate * g, low, high)
        with torch.no_grad():
            e = forward(x)
        rows.append([loss.item(), ((scaled[-1] - e) ** 2).sum().item(), torch.nn.functional.cosine_similarity(scaled[-1], e).item(), (x - source).abs().sum().item()])
    return x.detach(), torch.tensor(rows)


def level_set(forward, source, target, label, steps, rate, epsilon, drop, pert):
    """The loop of Balasubramanian et al.'s level_set_traversal.py for one image, without the random start: the way to the target without its
    part along the gradient; the perturbation gains ε/2 of the gradient a step, within ±ε, and is taken off where it is asked for."""
    x, delta = source.clone(), None
    first = forward(source).softmax(1)[0, label].item()
    sure = [first]
    for _ in range(steps):
        leaf = x.detach().requires_grad_(True)
        torch.nn.functional.cross_entropy(forward(leaf), torch.tensor([label])).backward()
        g = leaf.grad
        v = target - x
        null = v - g * ((g * v).sum() / (g * g).sum())
        delta = (epsilon / 2) * g if delta is None else delta + (epsilon / 2) * g
        delta = torch.clamp(delta, -epsilon, epsilon)
        new = torch.clamp(x + rate * null - delta if pert else x + rate * null, 0, 1)
        now = forward(new).softmax(1)[0, label].item()
        if first - now >= drop:
            break
        x = new
        sure.append(now)
    return x, torch.tensor(sure)


def widths(forward, x, direction, label, radii, drawn):
    """Their measure_width: percentiles of the confidence over directions orthogonal to one."""
    unit = direction / torch.linalg.vector_norm(direction)
    along = (drawn * unit).sum(dim=(1, 2, 3))
    drawn = drawn - torch.einsum("ij,jklm->iklm", along.unsqueeze(-1), unit)
    drawn = drawn / torch.linalg.vector_norm(drawn, dim=(1, 2, 3), keepdim=True)
    q = torch.tensor([0.05, 0.95])
    return torch.stack([torch.quantile(forward((x + r * drawn).clamp(0, 1)).softmax(1)[:, label], q) for r in radii])


def paired_interval(both, lost, won, neither):
    """Newcombe's method 10: scipy's Wilson intervals of both shares, numpy's correlation of the two answers."""
    n = both + lost + won + neither
    (l1, u1), (l2, u2) = (binomtest(k, n).proportion_ci(method="wilson") for k in (both + lost, both + won))
    before = np.repeat([1, 1, 0, 0], [both, lost, won, neither])
    after = np.repeat([1, 0, 1, 0], [both, lost, won, neither])
    phi = np.corrcoef(before, after)[0, 1] if before.std() * after.std() > 0 else 0.0
    p1, p2 = before.mean(), after.mean()
    low = p1 - p2 - np.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = p1 - p2 + np.sqrt((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2)
    return [low, high]


def main():
    g = torch.Generator().manual_seed(23)
    weights = {
        "conv1": 0.4 * torch.randn(6, 3, 3, 3, generator=g), "bias1": 0.1 * torch.randn(6, generator=g),
        "conv2": 0.4 * torch.randn(4, 6, 3, 3, generator=g),
    }
    forward = network(weights)
    sources, targets = torch.rand(2, 3, 8, 10, generator=g), torch.rand(2, 3, 8, 10, generator=g)
    wanted = forward(targets).detach()
    tensors = {f"match/{k}": v for k, v in weights.items()} | {"match/sources": sources, "match/targets": targets, "match/wanted": wanted}
    for steps in (1, 10, 100):
        found = [published(forward, sources[i:i + 1], targets[i:i + 1], 0.9, steps) for i in range(2)]
        tensors[f"match/published/{steps}"] = torch.cat([x for x, _ in found])
        if steps == 100:
            tensors["match/published/trace"] = torch.stack([rows for _, rows in found])
        if steps == 100:
            tensors["match/adam/100"] = torch.cat([adam(forward, sources[i:i + 1], wanted[i:i + 1], (0.01, 0.001), steps) for i in range(2)])
    for steps in (1, 20):
        tensors[f"match/pgd/maximum/{steps}"] = pgd(forward, sources, wanted, 2 / 255, 8 / 255, steps, False)
        tensors[f"match/pgd/euclidean/{steps}"] = pgd(forward, sources, wanted, 0.2, 1.0, steps, True)
    tensors["match/gauss-newton/1"] = torch.cat([gauss_newton(forward, sources[i:i + 1], wanted[i:i + 1], 1e-3) for i in range(2)])
    x = sources
    for _ in range(5):
        x = torch.cat([gauss_newton(forward, x[i:i + 1], wanted[i:i + 1], 1e-3) for i in range(2)])
    tensors["match/gauss-newton/5"] = x

    label = int(forward(sources[:1]).argmax())
    tensors["level-set/label"] = torch.tensor([label])
    for name, epsilon in (("plain", 0.0), ("countered", 1 / 255), ("far", 0.3)):
        path, sure = level_set(forward, sources[:1], targets[:1], label, 30, 0.05, epsilon, 0.05, epsilon > 0)
        tensors |= {f"level-set/{name}/picture": path, f"level-set/{name}/confidences": sure}

    features = torch.randn(40, 7, generator=g) @ torch.randn(7, 7, generator=g) + 3
    queries = torch.randn(5, 7, generator=g) + 3
    pca = PCA(n_components=4, svd_solver="full").fit(features.numpy())
    tensors |= {
        "readers/features": features, "readers/queries": queries,
        "readers/pca/coordinates": torch.tensor(pca.transform(queries.numpy())),
        "readers/pca/shares": torch.tensor(pca.explained_variance_ratio_),
        "readers/nearest": torch.tensor(NearestNeighbors(n_neighbors=1).fit(features.numpy()).kneighbors(queries.numpy())[1][:, 0]),
    }
    low, high = torch.randn(30, generator=g).round(decimals=1), (torch.randn(25, generator=g) + 0.7).round(decimals=1)
    area = roc_auc_score(np.r_[np.zeros(30), np.ones(25)], torch.cat([low, high]).numpy())
    tensors |= {"readers/low": low, "readers/high": high, "readers/area": torch.tensor([area])}
    # Class means without the picture itself, as cosine_similarity of scikit-learn sees them.
    labels = np.arange(40) % 4
    rows = []
    for query in range(5):
        kept = np.arange(40) != query
        means = np.stack([features.numpy()[kept & (labels == c)].mean(0) for c in range(4)])
        rows.append(cosine_similarity(queries.numpy()[query:query + 1], means)[0])
    tensors["readers/prototypes"] = torch.tensor(np.stack(rows))
    third = torch.rand(2, 3, 8, 10, generator=g)
    tensors["match/others"] = third
    t = [forward(third).detach(), wanted]
    found = [several(forward, sources[i:i + 1], [k[i:i + 1] for k in t], 0.9, 40) for i in range(2)]
    tensors |= {"match/several/pictures": torch.cat([x for x, _ in found]), "match/several/trace": torch.stack([rows for _, rows in found])}
    drawn = torch.randn(24, 3, 8, 10, generator=g)
    tensors |= {
        "level-set/drawn": drawn,
        "level-set/widths": widths(forward, sources[:1], targets[:1] - sources[:1], label, [0.5, 2, 5], drawn),
    }
    tables = [(36, 12, 2, 0), (12, 9, 2, 21), (0, 12, 0, 0), (0, 2, 0, 0), (5, 0, 0, 3)]
    tensors |= {"paired/tables": torch.tensor(tables), "paired/intervals": torch.tensor([paired_interval(*t) for t in tables])}
    for name, delta in (("near", 4 / 255), ("far", 10 / 255)):
        found = [bounded(forward, sources[i:i + 1], wanted[i:i + 1], delta) for i in range(2)]
        tensors |= {f"bounded/{name}/pictures": torch.cat([x for x, _ in found]), f"bounded/{name}/losses": torch.tensor([v for _, v in found])}
    g = torch.Generator().manual_seed(29)
    draws = (torch.rand(4, generator=g).tolist(), [False, True, True, False], torch.randn(4, 240, generator=g))
    j = torch.autograd.functional.jacobian(lambda y: forward(y)[0], sources[:1]).reshape(-1, 240)
    print("λ", torch.linalg.svdvals(j) ** 2)
    tensors |= {"walk/places": torch.tensor(draws[0]), "walk/back": torch.tensor([float(b) for b in draws[1]]), "walk/vectors": draws[2]}
    for name, same in (("simec", True), ("simexp", False)):
        path, notes = pullback_walk(forward, sources[:1], 14.0, 2000.0, draws, same)
        print(name, notes)
        tensors |= {f"walk/{name}/pictures": path, f"walk/{name}/notes": notes}
    save(
        "equivalence/matching.safetensors", {k: v.contiguous() for k, v in tensors.items()},
        {"script": "Oracles/matching.py", "versions": versions("scikit-learn", "scipy"), "seed": "23",
         "notes": "trace: loss before the step, d, cosine, L1 after it"},
    )
    print("golden", published(lambda x: (x.flatten(1) @ torch.tensor([[1.0, 2, 0], [0, 1, -1]]).T), torch.tensor([0.2, -0.5, 0.9]).reshape(1, 3, 1, 1), torch.tensor([1, 0.3, -0.4]).reshape(1, 3, 1, 1), 0.09, 3)[1])


if __name__ == "__main__":
    main()
