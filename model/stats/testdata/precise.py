"""Writes precise.json: posterior quantities at counts where double precision is short, to thirty digits.

    python3 precise.py > precise.json        # mpmath 1.3.0

It shares nothing with the package. It integrates over the log-odds of a rate by the trapezoidal rule, whose error falls
exponentially there, with distribution functions added up from short Gauss-Legendre integrals.
"""
import json
from mpmath import mp, mpf, exp, log, log1p, sqrt, loggamma, findroot

mp.dps = 40


class Rate:
    def __init__(self, n, c):
        self.a, self.b = mpf(1 + c), mpf(1 + n - c)
        self.const = loggamma(self.a + self.b) - loggamma(self.a) - loggamma(self.b)
        self.mode = log(self.a / self.b)
        self.sd = sqrt(1 / self.a + 1 / self.b)

    def f(self, t):
        return exp(self.const + self.a * t - (self.a + self.b) * log1p(exp(t)))


def lattice(rates):
    h = min(r.sd for r in rates) / 6
    low = min(r.mode - max(14 * r.sd, 60 / r.a) for r in rates)
    high = max(r.mode + max(14 * r.sd, 60 / r.b) for r in rates)
    return low, h, int((high - low) / h) + 1


def gauss(f, a, b):
    half, mid = (b - a) / 2, (a + b) / 2
    return half * sum(w * f(mid + half * x) for x, w in GAUSS)


def legendre(n):
    out = []
    for k in range(1, n + 1):
        near = mp.cos(mp.pi * (k - mpf(1) / 4) / (n + mpf(1) / 2))
        x = findroot(lambda x: mp.legendre(n, x), (near, near + mpf(1) / 10**6))
        d = n * (x * mp.legendre(n, x) - mp.legendre(n - 1, x)) / (x * x - 1)
        out.append((x, 2 / ((1 - x * x) * d * d)))
    return out


GAUSS = legendre(12)


def case(variants):
    rates = [Rate(n, c) for n, c in variants]
    low, h, steps = lattice(rates)
    ts = [low + i * h for i in range(steps)]
    f, F = [], []
    for r in rates:
        sums = [mpf(0)]
        for a, b in zip(ts, ts[1:]):
            sums.append(sums[-1] + gauss(r.f, a, b))
        assert abs(sums[-1] - 1) < mpf(10) ** -18, sums[-1]
        f.append([r.f(t) for t in ts])
        F.append(sums)
    best, loss, rate, beat = [], [], [], []
    for i, r in enumerate(rates):
        b = l = mpf(0)
        for n, t in enumerate(ts):
            others = mpf(1)
            for j in range(len(rates)):
                if j != i:
                    others *= F[j][n]
            p = 1 / (1 + exp(-t))
            b += h * f[i][n] * others
            l += h * F[i][n] * (1 - others) * p * (1 - p)
        best.append(b)
        loss.append(l)
        beat.append(sum(h * x * y for x, y in zip(f[i], F[0])))

        def quantile(q):
            n = next(n for n in range(steps) if F[i][n + 1] > q)
            t = findroot(lambda t: F[i][n] + gauss(r.f, ts[n], t) - q, (ts[n], ts[n + 1]), solver="anderson", tol=1e-25)
            return 1 / (1 + exp(-t))

        rate.append([quantile(mpf(25) / 1000), quantile(mpf(975) / 1000)])
    return {
        "variants": [{"visitors": n, "conversions": c} for n, c in variants],
        "best": [float(x) for x in best],
        "beat": [float(x) for x in beat],
        "loss": [float(x) for x in loss],
        "rate": [[float(x) for x in pair] for pair in rate],
        "bayes": [factor(variants[0], v) for v in variants],
    }


def factor(x, y):
    def beta(n, c):
        return loggamma(1 + mpf(c)) + loggamma(1 + mpf(n - c)) - loggamma(2 + mpf(n))

    return float(exp(beta(*x) + beta(*y) - beta(x[0] + y[0], x[1] + y[1])))


G = 10**9
print(json.dumps({"cases": [
    case([(G, 300_000_000), (G, 300_030_000)]),
    case([(G, 500_000_000), (G - 7, 499_990_000), (G + 9, 500_010_000)]),
    case([(G, 0), (G, 1)]),
    case([(G, 0), (G, 0), (G, 3)]),
    case([(G, G), (G, G - 1)]),
    case([(G, G - 5), (G, G), (G, G - 2)]),
    case([(G, 1000), (G, 1100)]),
    case([(1_000_000, 100_000 + 150 * i) for i in range(10)]),
    case([(0, 0), (1, 0), (1, 1), (2, 1)]),
    case([(50, 50), (40, 40), (45, 44)]),
    case([(100, 10), (10_000, 1_200)]),
]}, indent=1))
