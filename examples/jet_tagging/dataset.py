"""Jets as 16 expert features: a seeded toy simulation.

**The data of** :func:`simulate` **are synthetic.** They come from a page of leading-order physics, not from an event generator
or a detector, and are good for one thing: a five-class problem with the shape, correlations and difficulty of the real one.

One jet of about 1 TeV, step by step:

1. *Hard process.* A gluon or light quark is one prong. W and Z decay to two quarks (longitudinally polarised: sin^2 of the
   angle in the rest frame), a top quark to b and W to three (isotropically), with Breit-Wigner masses (PDG), then boosted.
2. *Shower.* Every prong emits gluons uniformly in the primary Lund plane (ln 1/z, ln 1/theta), with density
   2 alpha_s(kt) C / pi, C = 4/3 for quarks and 3 for gluons, alpha_s running at one loop, kt > 1 GeV, angles below the distance
   to the next prong. That is the Sudakov form factor in leading logarithms.
3. *Grooming.* mMDT with z_cut = 0.1: emissions at larger angles than the first hard one are dropped, a soft prong is lost.
4. *Hadrons and detector.* Each parton splits in two clusters with 0.6 GeV transverse momentum; energies and angles are smeared.
5. *Observables* of the clusters that are left: generalised energy correlation functions, mass, multiplicity, sum z log z.

Energy correlation functions (Moult, Necib, Thaler, arXiv:1609.07483; Larkoski, Moult, Neill, arXiv:1409.6298), with z the
momentum fractions and R the distances: e2 = sum z_i z_j R_ij^b; e3, 1e3, 2e3 = sum z_i z_j z_k times all three, the smallest,
the two smallest R^b; C1 = e2, C2 = e3/e2^2, D2 = e3/e2^3, D2(a,b) = e3(a)/e2(b)^(3a/b), M2 = 1e3/e2, N2 = 2e3/e2^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Names and order of the public data set.
FEATURES = (
    "zlogz", "c1_b0_mmdt", "c1_b1_mmdt", "c1_b2_mmdt", "c2_b1_mmdt", "c2_b2_mmdt", "d2_b1_mmdt", "d2_b2_mmdt",
    "d2_a1_b1_mmdt", "d2_a1_b2_mmdt", "m2_b1_mmdt", "m2_b2_mmdt", "n2_b1_mmdt", "n2_b2_mmdt", "mass_mmdt", "multiplicity",
)  # fmt: skip
CLASSES = ("g", "q", "t", "w", "z")

RADIUS = 0.8
CUTOFF = 1.0  # GeV, smallest transverse momentum of an emission
Z_CUT = 0.1
CANDIDATES = 32  # tries per prong to place an emission in the Lund plane
PARTONS = 11  # hardest ones that are kept; each makes two clusters
COLOUR = {"g": 3.0, "q": 4 / 3}
MASS = {"w": (80.38, 2.09), "z": (91.19, 2.50), "t": (172.6, 1.42)}  # GeV: mass and width


@dataclass(frozen=True)
class Prongs:
    """Up to three prongs per jet, arrays of shape (jets, 3); an absent one has ``z`` = 0.

    ``z``: momentum fraction; ``u``, ``v``: angles to the jet axis; ``colour``: C of the radiation; ``reach``: its widest angle.
    """

    z: np.ndarray
    u: np.ndarray
    v: np.ndarray
    colour: np.ndarray
    reach: np.ndarray


def simulate(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``n`` synthetic jets: features (n, 16), float64, in the units of the observables, and class numbers (n,).

    Jets are made in blocks of 2,000, each with its own stream, so a longer sample starts with the shorter one.
    """
    blocks = [_block(min(2000, n - start), np.random.default_rng([seed, start])) for start in range(0, n, 2000)]
    return np.concatenate([x for x, _ in blocks]), np.concatenate([y for _, y in blocks])


def _block(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = rng.permutation(np.arange(n) % len(CLASSES))
    x = np.empty((n, len(FEATURES)))
    for number, name in enumerate(CLASSES):
        mine = np.flatnonzero(y == number)
        if len(mine):
            pt = 1000.0 * (1 - 0.6 * rng.random(len(mine))) ** (-1 / 4)  # a falling spectrum between 1 and 1.26 TeV
            x[mine] = observables(pt, *clusters(pt, hard_process(name, pt, rng), rng), rng)
    return x, y


def hard_process(name: str, pt: np.ndarray, rng: np.random.Generator) -> Prongs:
    """The prongs of class ``name`` for jets of transverse momentum ``pt`` (GeV), a lost soft prong already removed."""
    n = len(pt)
    if name in COLOUR:
        one = np.zeros((n, 3))
        one[:, 0] = 1.0
        return Prongs(one, 0 * one, 0 * one, COLOUR[name] * one, RADIUS * one)
    mass = _breit_wigner(name, n, rng)
    parent = np.stack([np.hypot(pt, mass), pt, 0 * pt, 0 * pt], axis=-1)
    if name == "t":
        w, b = _decay(parent, np.minimum(_breit_wigner("w", n, rng), mass - 10), 4.8, rng)
        quarks = [*_decay(w, None, 0.0, rng), b]
    else:
        quarks = [*_decay(parent, None, 0.0, rng, longitudinal=True), np.zeros_like(parent)]
    momentum = np.stack(quarks, axis=1)
    along = np.maximum(momentum[..., 1], 0)  # a quark that flies backwards is not in the jet
    z = along / pt[:, None]
    safe = np.where(along > 0, along, 1)
    u, v = momentum[..., 2] / safe, momentum[..., 3] / safe
    pair = z[:, 0] + z[:, 1]  # the quarks of a W are declustered against each other, the b against the W
    threshold = Z_CUT * np.stack([pair, pair, pair + z[:, 2]], axis=1)
    z = np.where((z > threshold) & (np.hypot(u, v) < RADIUS), z, 0)
    gap = _distance(u, v) + np.where(np.eye(3, dtype=bool) | (z[:, None, :] == 0), np.inf, 0)
    nearest = np.minimum(gap.min(axis=2), RADIUS)
    return Prongs(z, u, v, np.full_like(z, COLOUR["q"]), nearest)


def clusters(pt: np.ndarray, prongs: Prongs, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Shower, groom, hadronise, smear: fractions z, angles u and v of 2 * PARTONS clusters, and the hadrons of each parton."""
    shape = (len(pt), 3, CANDIDATES)
    energy = (prongs.z * pt[:, None])[..., None]
    reach = np.maximum(prongs.reach, 1e-3)[..., None]
    span = np.log(np.maximum(energy * reach / CUTOFF, 1.01))
    log_z = np.log(2) + span * rng.random(shape)
    log_angle = np.sort(span * rng.random(shape), axis=-1)  # from wide to narrow
    z, angle = np.exp(-log_z), reach * np.exp(-log_angle)
    kt = z * angle * energy
    density = 2 * _alpha_s(kt) * prongs.colour[..., None] / np.pi * (1 + (1 - z) ** 2) / 2
    kept = (rng.random(shape) < density * span**2 / CANDIDATES) & (kt > CUTOFF)
    single = np.count_nonzero(prongs.z, axis=1) == 1
    hard_seen = np.maximum.accumulate(kept & (z > Z_CUT), axis=-1)
    kept &= hard_seen | ~single[:, None, None]
    z = np.where(kept, z, 0)
    left = np.cumprod(1 - z, axis=-1)
    before = np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1)
    turn = 2 * np.pi * rng.random(shape)
    parton_z = np.concatenate([z * before, left[..., -1:]], axis=-1) * prongs.z[..., None]
    zero = np.zeros_like(left[..., :1])
    parton_u = prongs.u[..., None] + np.concatenate([angle * np.cos(turn), zero], axis=-1)
    parton_v = prongs.v[..., None] + np.concatenate([angle * np.sin(turn), zero], axis=-1)
    gluon = np.concatenate([np.full(shape, COLOUR["g"]), prongs.colour[..., None]], axis=-1)
    flat = [a.reshape(len(pt), -1) for a in (parton_z, parton_u, parton_v, gluon)]
    order = np.argsort(-flat[0], axis=1, kind="stable")[:, :PARTONS]
    return _hadrons(pt, *(np.take_along_axis(a, order, axis=1) for a in flat), rng)


def _hadrons(pt, z, u, v, colour, rng) -> tuple[np.ndarray, ...]:
    """Two clusters per parton, smeared, and how many hadrons each parton makes (grows with its energy and colour)."""
    energy = z * pt[:, None]
    count = np.where(energy > CUTOFF, 1 + rng.poisson(0.55 * colour * np.log1p(energy)), 0)
    share = rng.beta(2.0, 2.0, z.shape)
    kick, turn = rng.exponential(0.6, z.shape), 2 * np.pi * rng.random(z.shape)
    out_z, out_u, out_v = [], [], []
    for part, sign in ((share, 1.0), (1 - share, -1.0)):
        angle = sign * np.minimum(kick / np.maximum(part * energy, CUTOFF), 0.3)
        cluster = z * part * np.maximum(1 + 0.05 * rng.standard_normal(z.shape), 0.2)
        out_z.append(np.where(cluster * pt[:, None] > CUTOFF / 2, cluster, 0))
        out_u.append(u + angle * np.cos(turn) + 0.004 * rng.standard_normal(z.shape))
        out_v.append(v + angle * np.sin(turn) + 0.004 * rng.standard_normal(z.shape))
    return np.concatenate(out_z, axis=1), np.concatenate(out_u, axis=1), np.concatenate(out_v, axis=1), count


def observables(pt, z, u, v, count, rng) -> np.ndarray:
    """The 16 features (n, 16) of clusters with fractions ``z``, angles ``u``, ``v`` and hadron numbers ``count`` per parton."""
    total = np.maximum(z.sum(axis=1, keepdims=True), 1e-3)
    f = z / total
    r = _distance(u, v)
    i, j, k = np.array([(a, b, c) for c in range(z.shape[1]) for b in range(c) for a in range(b)]).T
    weight = f[:, i] * f[:, j] * f[:, k]
    sides = np.sort(np.stack([r[:, i, j], r[:, i, k], r[:, j, k]]), axis=0)
    pairs = np.triu_indices(z.shape[1], 1)
    e2 = {b: np.maximum((f[:, pairs[0]] * f[:, pairs[1]] * r[:, pairs[0], pairs[1]] ** b).sum(1), 1e-7) for b in (0, 1, 2)}
    e3 = {(m, b): (weight * np.prod(sides[:m], axis=0) ** b).sum(1) for m in (1, 2, 3) for b in (1, 2)}
    mass = pt * total[:, 0] * np.sqrt(e2[2]) * (1 + 0.03 * rng.standard_normal(len(pt)))
    hadrons = np.maximum(count.sum(1), 1)
    entropy = (f * np.log(np.maximum(f, 1e-9))).sum(1) - 0.35 * np.log(hadrons)  # clusters, then hadrons within them
    c2 = {b: e3[3, b] / e2[b] ** 2 for b in (1, 2)}
    d2 = {b: e3[3, b] / e2[b] ** 3 for b in (1, 2)}
    mixed = e3[3, 1] / e2[2] ** 1.5
    m2 = {b: e3[1, b] / e2[b] for b in (1, 2)}
    n2 = {b: e3[2, b] / e2[b] ** 2 for b in (1, 2)}
    return np.stack([
        entropy, e2[0], e2[1], e2[2], c2[1], c2[2], d2[1], d2[2],
        d2[1], mixed, m2[1], m2[2], n2[1], n2[2], mass, hadrons,
    ], axis=1)  # fmt: skip


def _distance(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.hypot(u[:, :, None] - u[:, None, :], v[:, :, None] - v[:, None, :])


def _alpha_s(kt: np.ndarray) -> np.ndarray:
    """One loop, five flavours, 0.118 at the Z mass, frozen below 2 GeV."""
    return 0.118 / (1 + 0.118 * 23 / (12 * np.pi) * 2 * np.log(np.maximum(kt, 2.0) / 91.19))


def _breit_wigner(name: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Masses in GeV, cut at ten widths."""
    mass, width = MASS[name]
    return mass + width / 2 * np.tan(np.arctan(20.0) * (2 * rng.random(n) - 1))


def _decay(parent, m1, m2, rng, longitudinal=False) -> list[np.ndarray]:
    """Two four-momenta (n, 4): ``parent`` (flying along x if ``longitudinal``) to masses ``m1`` (None: 0) and ``m2``."""
    m1 = np.zeros(len(parent)) if m1 is None else m1
    m = np.sqrt(np.maximum(parent[:, 0] ** 2 - (parent[:, 1:] ** 2).sum(1), 1e-6))
    p = np.sqrt(np.maximum((m**2 - (m1 + m2) ** 2) * (m**2 - (m1 - m2) ** 2), 0)) / (2 * m)
    # The median of three uniform numbers has the density 3/4 (1 - c^2).
    cosine = np.median(rng.uniform(-1, 1, (3, len(parent))), axis=0) if longitudinal else rng.uniform(-1, 1, len(parent))
    sine, turn = np.sqrt(1 - cosine**2), 2 * np.pi * rng.random(len(parent))
    direction = p[:, None] * np.stack([cosine, sine * np.cos(turn), sine * np.sin(turn)], axis=1)
    out = []
    for sign, mass in ((1, m1), (-1, m2)):
        q, e = sign * direction, np.sqrt(p**2 + mass**2)
        along = (q * parent[:, 1:]).sum(1)
        boosted = q + parent[:, 1:] * ((along / (parent[:, 0] + m) + e) / m)[:, None]
        out.append(np.concatenate([((e * parent[:, 0] + along) / m)[:, None], boosted], axis=1))
    return out


@dataclass(frozen=True)
class Standardiser:
    """Shift and scale to mean 0 and variance 1, then clip to +-8, as the fixed-point link into a trigger would.

    ``mean`` and ``scale`` are (16,) float64, taken from the training jets alone.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray) -> Standardiser:
        """From training features (n, 16)."""
        return cls(x.mean(axis=0), x.std(axis=0))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features (n, 16) to float32 network inputs of the same shape."""
        return np.clip((x - self.mean) / self.scale, -8, 8).astype(np.float32)
