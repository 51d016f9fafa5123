"""Descents on spectra, in decorrelated colours, over octaves and by L-BFGS, and a prior network, all in float64.

Spectra and colours follow torch-lucent's formulas; where lucent 0.1.8 can be imported they are held against its own functions. L-BFGS
is torch.optim's, an optimiser for each picture; the prior network is put together of PyTorch's functions.
"""

import importlib.util

import numpy as np
import torch
import torch.nn.functional as F
from oracle import save, versions
from torchvision.transforms.functional import gaussian_blur

torch.set_default_dtype(torch.float64)

ROOT = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOURS = ROOT / ROOT.norm(dim=0).max()


def schedule(start, end, i, n):
    return start * (n - i) / n + end * i / n


def fourier(z, h, w, decay=1, decorrelated=True):
    fy, fx = np.fft.fftfreq(h)[:, None], np.abs(np.fft.fftfreq(w)[: w // 2 + 1])
    scale = 1 / np.maximum(np.hypot(fx, fy), 1 / max(h, w)) ** decay
    spectrum = torch.view_as_complex(z * torch.tensor(scale)[None, None, ..., None])
    image = torch.fft.irfft2(spectrum, s=(h, w), norm="ortho") / 4
    return valid(image, decorrelated)


def valid(image, decorrelated=True):
    if decorrelated:
        image = torch.einsum("ij,bjhw->bihw", COLOURS, image)
    return torch.sigmoid(image)


def lucent(z, h, w):
    """The picture by torch-lucent's own functions; None where it is not there."""
    found = importlib.util.find_spec("lucent")
    if found is None:
        return None
    parts = {}
    for name in ("spatial", "color"):
        path = f"{found.submodule_search_locations[0]}/optvis/param/{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        parts[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(parts[name])
    params, inner = parts["spatial"].fft_image((z.shape[0], 3, h, w))
    with torch.no_grad():
        params[0].copy_(z)
    return parts["color"].to_valid_rgb(lambda: inner().float(), decorrelate=True)().detach()


def network(weights):
    def forward(x):
        x = torch.relu(F.conv2d(x, weights["conv1"], weights["bias1"], stride=2, padding=1))
        return F.conv2d(x, weights["conv2"], stride=1, padding=1)

    return forward


def adam(start, make, loss, rate, n, at):
    p = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([p], lr=rate[0])
    found = {}
    for i in range(n):
        optimiser.param_groups[0]["lr"] = schedule(*rate, i, n)
        optimiser.zero_grad()
        loss(make(p)).sum().backward()
        optimiser.step()
        if i + 1 in at:
            found[i + 1] = p.detach().clone()
    return found


def octaves(start, loss, table, seed, sign=False, clip=False, normalised=False):
    """Rows of (height, width, steps, rate, blur, crop, padding); crops from torch's generator, seeded by the step."""
    a, step = start, 0
    for h, w, n, rate, blur, crop, pad in table:
        a = F.interpolate(a, size=(h, w), mode="bilinear", align_corners=False)
        for i in range(n):
            top, left, rows, columns = 0, 0, a.shape[2], a.shape[3]
            if crop:
                g = torch.Generator().manual_seed((seed * 1_000_003 + step + 0x9E3779B97F4A7C15) % 2**64)
                u = torch.rand(2, generator=g, dtype=torch.float32).double()
                top, left = (int(v * (side - crop + 1)) for v, side in zip(u, a.shape[2:]))
                rows = columns = crop
            seen = a[:, :, top : top + rows, left : left + columns].clone().requires_grad_(True)
            (g,) = torch.autograd.grad(loss(seen).sum(), seen)
            if clip:
                mean, sd = (f(g.flatten(1), dim=1).reshape(-1, 1, 1, 1) for f in (torch.mean, torch.std))
                g = torch.minimum(torch.maximum(g, mean - sd), mean + sd)
            if normalised:
                g = g / (g.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1) + 1e-10)
            a = a.clone()
            a[:, :, top : top + rows, left : left + columns] -= schedule(*rate, i, n) * (g.sign() if sign else g)
            if blur:
                a = gaussian_blur(a, [3, 3], [schedule(*blur, i, n)] * 2)
            if pad:
                a = F.pad(a, [pad] * 4, value=0.7)
            step += 1
    return a


def lbfgs(start, loss, rate, history, n, at, search=None):
    """torch.optim.LBFGS with one iteration a step, for each picture alone."""
    found = {k: [] for k in at}
    for image in range(start.shape[0]):
        p = start[image : image + 1].clone().requires_grad_(True)
        # Twenty-five looks beyond the first, the search's own default, which an iteration at a time would else not have.
        looks = {"line_search_fn": search, "max_eval": 26} if search else {}
        optimiser = torch.optim.LBFGS([p], lr=rate, max_iter=1, history_size=history, tolerance_grad=0, tolerance_change=0, **looks)

        def closure():
            optimiser.zero_grad()
            value = loss(p, image).sum()
            value.backward()
            return value

        for i in range(n):
            optimiser.step(closure)
            if i + 1 in at:
                found[i + 1].append(p.detach().clone())
    return {k: torch.cat(v) for k, v in found.items()}


def prior(p, h, w, noise, widths, skip):
    """One picture of one vector: noise, then down, again, skip, up, mix of each level, then the last."""
    place = 0

    def take(*shape):
        nonlocal place
        size = int(np.prod(shape))
        place += size
        return p[place - size : place].reshape(shape)

    def piece(cin, cout, k, last=False):
        return (take(cout, cin, k, k), take(cout), None if last else take(cout))

    def conv(x, part, stride=1):
        weight, gamma, beta = part
        r = weight.shape[-1] // 2
        y = F.conv2d(F.pad(x, [r] * 4, mode="reflect") if r else x, weight, gamma if beta is None else None, stride=stride)
        return y if beta is None else F.leaky_relu(F.batch_norm(y, None, None, gamma, beta, training=True, eps=1e-5), 0.2)

    z = take(1, noise, h, w).detach()
    levels = []
    for i, width in enumerate(widths):
        cin = noise if i == 0 else widths[i - 1]
        below = widths[i + 1] if i + 1 < len(widths) else width
        levels.append([piece(cin, width, 3), piece(width, width, 3), piece(cin, skip, 1), piece(below + skip, width, 3), piece(width, width, 1)])
    last = piece(widths[0], 3, 1, last=True)
    assert place == len(p)

    def hourglass(x, i):
        down, again, side, up, mix = levels[i]
        y = conv(conv(x, down, 2), again)
        if i + 1 < len(levels):
            y = hourglass(y, i + 1)
        y = F.interpolate(y, size=x.shape[2:], mode="nearest")
        return conv(conv(torch.cat([y, conv(x, side)], 1), up), mix)

    return torch.sigmoid(conv(hourglass(z, 0), last))


def main():
    g = torch.Generator().manual_seed(23)
    rn = lambda *s: torch.randn(*s, generator=g)
    tensors = {"colours": COLOURS}
    for name, h, w, decay in (("even", 6, 8, 1), ("odd", 7, 9, 1.5)):
        z = rn(2, 3, h, w // 2 + 1, 2)
        tensors |= {f"fourier/{name}/z": z, f"fourier/{name}/picture": fourier(z, h, w, decay),
                    f"fourier/{name}/grey": fourier(z, h, w, decay, False)}
    theirs = lucent(tensors["fourier/even/z"], 6, 8)
    if theirs is not None:
        gap = (theirs - tensors["fourier/even/picture"]).abs().max().item()
        print(f"lucent's picture differs by {gap:.1e}")
        assert gap < 1e-6
    tensors["colours/z"] = rn(2, 3, 4, 5)
    tensors["colours/picture"] = valid(tensors["colours/z"])

    weights = {"conv1": 0.3 * rn(8, 3, 3, 3), "bias1": 0.1 * rn(8), "conv2": 0.3 * rn(4, 8, 3, 3)}
    forward = network(weights)
    target = torch.rand(2, 3, 8, 10, generator=g)
    wanted = forward(target).flatten(1)
    tensors |= {f"net/{k}": v for k, v in weights.items()} | {"net/target": target}
    rss = lambda x: ((wanted - forward(x).flatten(1)) ** 2).sum(1)
    at = (1, 10, 100)
    start = 0.5 * rn(2, 3, 8, 6, 2)
    tensors["descent/fourier/start"] = start
    for k, v in adam(start, lambda z: fourier(z, 8, 10), rss, (0.05, 0.005), 100, at).items():
        tensors[f"descent/fourier/{k}"] = v
    start = rn(2, 3, 8, 10)
    tensors["descent/colours/start"] = start
    for k, v in adam(start, valid, rss, (0.05, 0.005), 100, at).items():
        tensors[f"descent/colours/{k}"] = v

    # A loss for every size: the mean features are wanted to be the target's.
    goal = forward(target).mean((2, 3))
    mean = lambda x: (goal - forward(x).mean((2, 3))).abs().sum(1)
    start = 0.7 + rn(2, 3, 6, 8) / 20
    tensors["octaves/start"] = start
    tensors["octaves/crops"] = octaves(start, mean, [(6, 8, 5, (1.5, 1), (2.4, 0.8), None, 1), (11, 15, 7, (1.3, 0.45), (1.5, 0.4), 9, 0)], 5)
    tensors["octaves/sign"] = octaves(start, mean, [(6, 8, 10, (0.01, 0.01), None, None, 0), (9, 12, 3, (0.01, 0.02), None, 7, 0)], 5, sign=True)
    tensors["octaves/clip"] = octaves(start, mean, [(6, 8, 10, (0.5, 0.3), None, None, 0), (9, 12, 3, (0.5, 0.3), None, 7, 0)], 5, clip=True)

    table = [(6, 8, 10, (1, 1), None, None, 0), (9, 12, 3, (0.5, 0.5), None, 7, 0)]
    tensors["octaves/normalised"] = octaves(start, mean, table, 5, normalised=True)

    start = torch.rand(2, 3, 8, 10, generator=g)
    tensors["lbfgs/start"] = start
    single = lambda x, image: ((wanted[image : image + 1] - forward(x).flatten(1)) ** 2).sum(1)
    for k, v in lbfgs(start, single, 0.3, 4, 30, (1, 2, 10, 30)).items():
        tensors[f"lbfgs/{k}"] = v
    for k, v in lbfgs(start, single, 1, 4, 20, (1, 2, 5, 10, 20), "strong_wolfe").items():
        tensors[f"lbfgs/wolfe/{k}"] = v
    # A quadratic with condition number 1e4 and its minimum.
    q = torch.linalg.qr(rn(12, 12))[0]
    matrix, b = q @ torch.diag(torch.logspace(0, 4, 12)) @ q.T, rn(2, 12)
    tensors |= {"quadratic/matrix": matrix, "quadratic/b": b, "quadratic/minimum": torch.linalg.solve(matrix, b.T).T}

    sizes = (2, [3, 4], 2)
    noise, widths, skip = sizes
    count = noise * 12 * 10
    shapes = []
    for i, width in enumerate(widths):
        cin = noise if i == 0 else widths[i - 1]
        below = widths[i + 1] if i + 1 < len(widths) else width
        shapes += [(width, cin, 3), (width, width, 3), (skip, cin, 1), (width, below + skip, 3), (width, width, 1)]
    total = count + sum(o * c * k * k + 2 * o for o, c, k in shapes) + widths[0] * 3 + 3
    p = 0.5 * rn(2, total)
    make = lambda v: torch.cat([prior(row, 12, 10, *sizes) for row in v])
    aim = torch.rand(2, 3, 12, 10, generator=g)
    tensors |= {"prior/start": p, "prior/picture": make(p), "prior/target": aim}
    for k, v in adam(p, make, lambda x: ((aim - x) ** 2).flatten(1).sum(1), (0.01, 0.01), 20, (1, 20)).items():
        tensors[f"prior/{k}"] = v

    x = torch.rand(2, 3, 6, 7, generator=g).requires_grad_(True)
    across, down = x[..., 1:] - x[..., :-1], x[:, :, 1:] - x[:, :, :-1]
    squares = across[:, :, :-1] ** 2 + down[..., :-1] ** 2
    value = 3 * squares.mean((1, 2, 3)) + 0.7 * ((2 * x - 1) ** 6).mean((1, 2, 3))
    tensors |= {"variation/picture": x.detach(), "variation/value": value.detach(),
                "variation/gradient": torch.autograd.grad(value.sum(), x)[0]}
    save("inversion/descent.safetensors", tensors,
         {"script": "Oracles/descent.py", "versions": versions("torchvision"), "seed": "23"})


if __name__ == "__main__":
    main()
