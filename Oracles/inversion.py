"""Blurs, schedules, descents and reference values for the inversion of embeddings.

Descents run in float64 by PyTorch's autograd from a given a_0, through a small network with strides and ReLU, whose weights lie
in the fixture; PSNR and SSIM by scikit-image.
"""

import numpy as np
import torch
from oracle import save, versions
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchvision.transforms.functional import gaussian_blur

torch.set_default_dtype(torch.float64)


def schedule(start, end, i, n):
    return start * (n - i) / n + end * i / n


def network(weights):
    def forward(x):
        x = torch.relu(torch.nn.functional.conv2d(x, weights["conv1"], weights["bias1"], stride=2, padding=1))
        return torch.nn.functional.conv2d(x, weights["conv2"], stride=1, padding=1).flatten(1)

    return forward


def descend(forward, target, start, loss, c, n, rate, blur=None, adam=False, until=None):
    """The paper's loop, as its text has it; Adam is torch.optim's."""
    wanted = forward(target).detach()
    a = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([a], lr=rate[0]) if adam else None
    for i in range(until or n):
        difference = wanted - forward(a)
        value = {"l1": difference.abs().sum(), "l2": difference.norm(dim=1).sum(), "rss": (difference**2).sum()}[loss]
        (g,) = torch.autograd.grad(c * value, a)
        step = schedule(*rate, i, n)
        with torch.no_grad():
            if adam:
                a.grad = g
                optimiser.param_groups[0]["lr"] = step
                optimiser.step()
            else:
                a -= step * g
            if blur:
                a.copy_(gaussian_blur(a, [3, 3], [schedule(*blur, i, n)] * 2))
    return a.detach()


def main():
    g = torch.Generator().manual_seed(11)
    tensors = {}
    image = torch.arange(16.0).reshape(1, 1, 4, 4) / 15
    noise = torch.rand(2, 3, 7, 9, generator=g)
    for sigma in (2.4, 1.5, 1.1, 0.8, 0.4):
        tensors[f"blur/ramp/{sigma}"] = gaussian_blur(image, [3, 3], [sigma, sigma])
        tensors[f"blur/noise/{sigma}"] = gaussian_blur(noise, [3, 3], [sigma, sigma])
    tensors["blur/noise/11x11"] = gaussian_blur(torch.rand(1, 1, 12, 13, generator=g), [11, 11], [2.2, 2.2])
    g2 = torch.Generator().manual_seed(11)
    torch.rand(2, 3, 7, 9, generator=g2)
    tensors["blur/large"] = torch.rand(1, 1, 12, 13, generator=g2)
    tensors["blur/noise"] = noise

    weights = {
        "conv1": 0.3 * torch.randn(8, 3, 3, 3, generator=g), "bias1": 0.1 * torch.randn(8, generator=g),
        "conv2": 0.3 * torch.randn(4, 8, 3, 3, generator=g),
    }
    forward = network(weights)
    target = torch.rand(2, 3, 8, 10, generator=g)
    start = 0.7 + torch.randn(2, 3, 8, 10, generator=g) / 20
    tensors |= {f"descent/{k}": v for k, v in weights.items()} | {"descent/target": target, "descent/start": start}
    for until in (1, 10, 100):
        tensors[f"descent/l1/{until}"] = descend(forward, target, start, "l1", 0.15, 500, (0.1, 0.1), (2.4, 0.4), until=until)
        tensors[f"descent/l2/{until}"] = descend(forward, target, start, "l2", 0.3, 500, (0.1, 0.01), until=until)
        tensors[f"descent/rss/{until}"] = descend(forward, target, start, "rss", 0.3, 500, (0.1, 0.1), until=until)
        tensors[f"descent/adam/{until}"] = descend(forward, target, start, "rss", 1, 100, (0.05, 0.005), adam=True, until=until)

    for name, shape, amount in (("near", (3, 20, 24), 0.05), ("far", (3, 11, 9), 0.4)):
        a = torch.rand(shape, generator=g)
        b = (a + amount * torch.randn(shape, generator=g))
        x, y = np.clip(b.numpy(), 0, 1), a.numpy()
        high = lambda z: (np.abs(np.fft.fft2(z)) ** 2)[:, np.hypot(*np.meshgrid(np.fft.fftfreq(shape[1]), np.fft.fftfreq(shape[2]), indexing="ij")) > 0.25].sum()
        tensors[f"compare/{name}/original"], tensors[f"compare/{name}/picture"] = a, b
        tensors[f"compare/{name}/values"] = torch.tensor(
            [peak_signal_noise_ratio(y, x, data_range=1), structural_similarity(y, x, data_range=1, channel_axis=0), high(x) / high(y)]
        )
    norm = torch.nn.functional.layer_norm
    tensors["norm"] = torch.stack([norm(torch.tensor(v), (3,)) for v in ([0.0, 2, 4], [-1.0, 0, 1], [2.1, 2.2, 2.3])])
    save(
        "inversion/inversion.safetensors", tensors,
        {"script": "Oracles/inversion.py", "versions": versions("torchvision", "scikit-image"), "seed": "11",
         "notes": "compare/*/values: PSNR, SSIM, high-frequency energy ratio"},
    )
    print(tensors["blur/ramp/2.4"][0, 0, 0].tolist(), tensors["norm"][:, 2].tolist())


if __name__ == "__main__":
    main()
