"""Live modules of PQuantML for PyTorch: equal to their own answers in every value, and left as they were.

Modules that have just what theirs show stand in for it where it is not installed.
"""

import numpy as np
import pytest
import torch
from torch import nn

import nn2hls
from nn2hls.errors import UnsupportedError
from tests.fixtures.pquant.torch_models import MODELS, made


def rounded(x, f, word):
    x = x * 2.0**f
    up, even = torch.floor(x + 0.5), torch.round(x)
    return {"RND": up, "S_RND": up, "TRN": torch.floor(x), "RND_CONV": even}[word] / 2.0**f


class Quantizer(nn.Module):
    """A cast by one sign, one number of integer and one of fraction bits, or one of each for an element."""

    use_hgq = False

    def __init__(self, k, i, f, round_mode, overflow):
        super().__init__()
        self.k, self.i, self.f = (torch.as_tensor(value, dtype=torch.float32) for value in (k, i, f))
        self.round_mode, self.overflow, self.quantizer = round_mode, overflow, None

    def get_quantization_bits(self):
        return self.k, self.i, self.f

    def forward(self, x):
        k, f = self.k, self.f
        i = torch.maximum(self.i, -f)
        x = rounded(x, f, self.round_mode)
        if self.overflow == "WRAP":
            return (x + k * 2.0**i) % 2.0 ** (i + k) - k * 2.0**i
        top = 2.0**i - 2.0**-f
        low = -k * (top if self.overflow == "SAT_SYM" else 2.0**i)
        return torch.minimum(torch.maximum(x, low), top)


class Between:
    """What layers of theirs have in common."""

    enable_quantization = use_fitcompress = use_hgq = False

    def settle(self, entering=None, leaving=None):
        self.enable_quantization = True
        self.quantize_input, self.quantize_output = entering is not None, leaving is not None
        self.input_quantizer, self.output_quantizer = entering, leaving
        return self

    def through(self, x):
        x = self.input_quantizer(x) if self.quantize_input else x
        x = self.compute(x)
        return self.output_quantizer(x) if self.quantize_output else x


class PQDense(Between, nn.Module):
    """A product whose weights are pruned and cast whenever they are asked for."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.in_features, self.out_features = inputs, outputs
        self._weight, self._bias = nn.Parameter(torch.randn(outputs, inputs)), nn.Parameter(torch.randn(outputs))
        self.pruning_layer = nn.Module()
        self.pruning_layer.register_buffer("mask", (torch.rand(outputs, inputs) > 0.4).float())
        self.pruning_layer.register_buffer("asked", torch.zeros(()))

    @property
    def weight(self):
        self.pruning_layer.asked += 1
        return torch.round(self._weight * self.pruning_layer.mask * 16) / 16

    @property
    def bias(self):
        return torch.round(self._bias * 8) / 8

    def compute(self, x):
        return nn.functional.linear(x, self.weight, self.bias)

    forward = Between.through


class PQActivation(Between, nn.Module):
    use_multiplier, built = True, True

    def __init__(self, name, multiplier):
        super().__init__()
        self.activation_name, self.multiplier = name, nn.Parameter(torch.tensor(multiplier))

    def forward(self, x):
        return self.through(x * 2.0 ** torch.round(self.multiplier) if self.activation_name == "relu" else x)

    def compute(self, x):
        return torch.relu(x) if self.activation_name == "relu" else torch.clamp(x, -1, 1)


class PQAvgPool1d(Between, nn.AvgPool1d):
    def compute(self, x):
        return nn.AvgPool1d.forward(self, x)

    forward = Between.through


class Tabled(Between, nn.Module):
    """A function between two casts."""

    def __init__(self, function, entering, leaving):
        super().__init__()
        self.activation_function = function
        self.settle(entering, leaving)

    def compute(self, x):
        return self.activation_function(x)

    forward = Between.through


class PQSoftmax(Between, nn.Module):
    """One over the sum of exponentials, both by table; what a mask leaves out is in no sum."""

    def __init__(self, entering, leaving, exp, inv, axes=(-1,), stable=True):
        super().__init__()
        self.settle(entering, leaving)
        self.axes, self.stable = axes, stable
        self.exp_table = Tabled(lambda x: torch.exp(-x if stable else x), exp[0] if stable else None, exp[1])
        self.inv_table = Tabled(lambda x: 1.0 / (x + 1e-7), *inv)

    def forward(self, x, mask=None):
        x = self.input_quantizer(x) if self.quantize_input else x
        x = x.amax(dim=self.axes, keepdim=True) - x if self.stable else x
        e = self.exp_table(x) * (1 if mask is None else mask)
        y = e * self.inv_table(e.sum(dim=self.axes, keepdim=True))
        return self.output_quantizer(y) if self.quantize_output else y


class PQMultiheadAttention(nn.Module):
    """Heads of 2 queries, keys and values each, which see each other by that softmax."""

    enable_quantization, batch_first, head_dim, scale = True, True, 2, float(np.float32(0.5**0.5))

    def __init__(self, heads, softmax, cast):
        super().__init__()
        self.num_heads, self.softmax, size = heads, softmax, 2 * heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            self.add_module(name, PQDense(size, size).settle(cast(1, 1, 4), cast(1, 2, 3)))

    def forward(self, query, key, value, key_padding_mask=None, attn_mask=None, need_weights=True):
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        q, k, v = (x.unflatten(-1, (self.num_heads, 2)).transpose(1, 2) for x in (q, k, v))
        scores = q @ k.mT * self.scale + (0 if attn_mask is None else attn_mask)
        weights = self.softmax(scores, None if key_padding_mask is None else ~key_padding_mask[:, None, None])
        back = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        return back, weights.mean(dim=1) if need_weights else None


for kind in (PQDense, PQActivation, PQAvgPool1d, PQSoftmax, PQMultiheadAttention):
    kind.__module__ = "pquant.core.torch.layers"


def network(rounding, overflow):
    """Of casts by one type, and one by a type for each element."""
    torch.manual_seed(3)

    def cast(k, i, f):
        return Quantizer(k, i, f, rounding, overflow)

    each = [torch.randint(low, high, (1, 6)) for low, high in ((0, 2), (-1, 3), (0, 5))]
    each[0][0, 0], each[1][0, 0], each[2][0, 0] = 1, -9, 1  # no bits are left of it but its sign
    return nn.Sequential(
        PQDense(4, 5).settle(cast(1, 1, 6), cast(1, 2, 4)),
        PQActivation("relu", -1.3).settle(None, cast(0, 0, 5)),
        nn.Sequential(PQDense(5, 6).settle(), PQActivation("hard_tanh", 0.0).settle(cast(*each), cast(1, 0, 4))),
        nn.Unflatten(1, (2, 3)),
        PQAvgPool1d(2, 1).settle(None, cast(1, 1, 3)),
    ).eval()


@pytest.mark.parametrize(("rounding", "overflow"), [("RND", "SAT"), ("TRN", "WRAP"), ("RND_CONV", "SAT_SYM")])
def test_every_answer_is_that_of_the_modules(rounding, overflow):
    module = network(rounding, overflow)
    x = (np.round(np.random.default_rng(1).normal(size=(200, 4)) * 512) / 256).astype(np.float32)
    with torch.no_grad():
        want = module(torch.tensor(x)).numpy()
    before, parts = {name: value.clone() for name, value in module.state_dict().items()}, list(module.modules())
    design = nn2hls.convert(nn2hls.load(module, example=torch.zeros(2, 4)))
    assert len(np.unique(want)) > 3
    assert np.array_equal(design.predict(x), want)
    assert np.array_equal(design.predict_float(x), want)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(one is other for one, other in zip(parts, module.modules(), strict=True))


def softmax(rounding="RND", overflow="SAT", each=None, **more):
    def cast(k, i, f):
        return Quantizer(k, i, f, rounding, overflow)

    entering = cast(1, 2, 3) if each is None else cast(1, 2, torch.arange(each[-1]).expand(1, *each) % 4)
    leaving = cast(0, 0, 5) if each is None else cast(0, 0, torch.arange(each[-1]).expand(1, *each) % 3 + 4)
    return PQSoftmax(entering, leaving, (cast(1, 3, 2), cast(0, 1, 6)), (cast(0, 3, 3), cast(0, 1, 7)), **more)


@pytest.mark.parametrize(
    ("make", "shape"),
    ids=range(6),
    argvalues=[
        (softmax, (6,)),
        (lambda: softmax("TRN", "SAT_SYM", stable=False), (6,)),
        (lambda: softmax("RND_CONV", "WRAP", axes=(1, 2)), (3, 2)),
        (lambda: softmax(each=(6,)), (6,)),
        (lambda: softmax(each=(2, 5), axes=(2,)), (2, 5)),
        (lambda: softmax("S_RND"), (6,)),  # stochastic in training alone
    ],
)
def test_a_softmax_has_its_tables(make, shape):
    module = make()
    x = (np.round(np.random.default_rng(1).normal(size=(100, *shape)) * 512) / 256).astype(np.float32)
    with torch.no_grad():
        want = module(torch.tensor(x)).numpy()
    design = nn2hls.convert(nn2hls.load(module, example=torch.zeros(2, *shape)))
    assert len(np.unique(want)) > 4
    assert np.array_equal(design.predict(x), want)
    assert np.array_equal(design.predict_float(x), want)


def mish(x):
    return x * torch.tanh(nn.functional.softplus(x))


@pytest.mark.parametrize("function", [torch.tanh, nn.GELU("tanh"), nn.functional.leaky_relu, mish], ids=range(4))
def test_a_function_between_two_casts_is_a_table(function):
    """Also one of the user's own, and those of PyTorch with the options that they have."""
    word = getattr(function, "__name__", type(function).__name__).lower()
    cast = Quantizer(1, 2, torch.tensor([[3, 4, 5]]), "RND_CONV", "SAT"), Quantizer(1, 1, 6, "TRN", "SAT_SYM")
    module = nn.Sequential(PQActivation(word, 0.0).settle(*cast))
    module[0].activation_function, module[0].compute = function, lambda x: function(x)
    x = torch.arange(-600, 600).reshape(-1, 3) / 128
    with torch.no_grad():
        want = module(x).numpy()
    design = nn2hls.convert(nn2hls.load(module, example=x[:2]))
    assert len(np.unique(want)) > 20
    assert np.array_equal(design.predict(x.numpy()), want)


def test_a_function_of_few_casts_is_no_table():
    module = nn.Sequential(PQActivation("mish", 0.0).settle(Quantizer(1, 2, 3, "RND", "SAT")))
    module[0].activation_function = mish
    with pytest.raises(UnsupportedError, match="its function 'mish' is offered as a table alone; set quantize_input and"):
        nn2hls.load(module, example=torch.zeros(2, 3))
    module[0].activation_function, module[0].activation_name = nn.LeakyReLU(0.25), "leaky_relu"
    assert nn2hls.load(module, example=torch.zeros(2, 3))["0"].op.slope.array == 0.25


class Attending(nn.Module):
    """Attention of each place to all, or by a mask of one kind."""

    def __init__(self, overflow="SAT", **masks):
        super().__init__()
        torch.manual_seed(5)
        self.attend = PQMultiheadAttention(2, softmax(overflow=overflow), lambda *bits: Quantizer(*bits, "RND", overflow))
        self.masks = list(masks)
        for name, mask in masks.items():
            self.register_buffer(name, mask)

    def forward(self, x):
        return self.attend(x, x, x, **{name: getattr(self, name) for name in self.masks})


CAUSAL = torch.triu(torch.full((3, 3), float("-inf")), 1)
MASKS = {
    "none": {},
    "causal": {"attn_mask": CAUSAL},
    "added": {"attn_mask": torch.tensor([[0.5, -1.25, 0], [0, 0, 2], [-1e4, 0.25, 1]])},
    "places": {"key_padding_mask": torch.tensor([[False, False, True]])},
}


@pytest.mark.parametrize(
    ("overflow", "mask"), [*(("SAT", name) for name in MASKS), ("SAT_SYM", "causal"), ("WRAP", "places"), ("WRAP", "none")]
)
def test_attention_sees_what_its_masks_leave(overflow, mask):
    module = Attending(overflow, **MASKS[mask]).eval()
    x = (np.round(np.random.default_rng(2).normal(size=(60, 3, 4)) * 512) / 256).astype(np.float32)
    with torch.no_grad():
        want = [y.numpy() for y in module(torch.tensor(x))]
    design = nn2hls.convert(nn2hls.load(module, example=torch.zeros(2, 3, 4)))
    assert min(len(np.unique(y)) for y in want) > 4
    for found in (design.predict(x), design.predict_float(x)):
        assert all(np.array_equal(one, other) for one, other in zip(found, want, strict=True))


def test_nodes_of_attention_have_the_names_of_its_modules():
    module = Attending()
    names = {node.name for node in nn2hls.load(module, example=torch.zeros(2, 3, 4))}
    assert {"attend.q_proj_iq", "attend.out_proj", "attend.softmax_exp", "attend.softmax_inv_iq", "attend.softmax_oq"} <= names
    alone = {node.name for node in nn2hls.load(module.attend, example=(torch.zeros(2, 3, 4),) * 3)}
    assert {"q_proj_iq", "softmax_exp"} <= alone


def test_nodes_have_the_names_of_the_modules():
    graph = nn2hls.load(network("RND", "SAT"), example=torch.zeros(2, 4))
    assert {"0_iq", "0", "0_oq", "1_oq", "2.0", "2.1_iq"} <= {node.name for node in graph}
    zeros = network("RND", "SAT")[0].pruning_layer.mask == 0
    assert not graph["0"].op.weight.array.T[zeros.numpy()].any()


def changed(word, **more):
    """A softmax without one of its flags."""
    module = softmax(**more)
    setattr(module, word, False)
    return module


def test_a_hidden_score_that_wraps_is_refused():
    with pytest.raises(UnsupportedError, match="a mask of minus infinity before a quantiser that wraps"):
        nn2hls.load(Attending("WRAP", attn_mask=CAUSAL), example=torch.zeros(2, 3, 4))


def with_quantiser(change):
    module = network("RND", "SAT")
    change(module)
    return module


@pytest.mark.parametrize(
    ("change", "message"),
    ids=range(10),
    argvalues=[
        (lambda m: setattr(m[0].input_quantizer, "round_mode", "UP"), r"0 \(PQDense\): 'UP' of its quantiser is not offered"),
        (lambda m: setattr(m[0].input_quantizer, "overflow", "WRAP_SM"), r"0 \(PQDense\): 'WRAP_SM' of its quantiser"),
        (
            lambda m: setattr(m[0], "input_quantizer", None),
            r"0 \(PQDense\): it has no input quantiser yet; call the model once",
        ),
        (lambda m: setattr(m[1], "activation_name", "selu"), r"1 \(PQActivation\): its activation 'selu' is not offered; relu"),
        (
            lambda m: m.append(changed("enable_quantization")),
            r"5 \(PQSoftmax\): its tables are not quantised; use torch",
        ),
        (
            lambda m: m.append(changed("quantize_input", stable=False)),
            r"5 \(PQSoftmax\): it casts nothing that enters",
        ),
        (
            lambda m: setattr(m.append(softmax())[5].inv_table.input_quantizer, "i", torch.tensor(14)),
            "5 .*is asked 17 bits",
        ),
        (
            lambda m: setattr(m[0].input_quantizer, "f", torch.tensor(2.5)),
            "0 .*'f' of its quantiser is no whole number up to 64",
        ),
        (lambda m: setattr(m[0].input_quantizer, "k", torch.tensor(2.0)), "0 .*signs other than 0 and 1"),
        (
            lambda m: delattr(m[0], "quantize_input") or delattr(m[0], "in_features"),
            r"0 \(PQDense\): it is not as PQuantML 0.1 makes",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change, message):
    module = with_quantiser(change)
    parts = list(module.modules())
    with pytest.raises(UnsupportedError, match=message):
        nn2hls.load(module, example=torch.zeros(2, 4))
    assert all(one is other for one, other in zip(parts, module.modules(), strict=True))


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_modules_of_the_package_itself(name):
    pquant = pytest.importorskip("pquant", reason="pquant-ml is not installed")
    from pquant.core.torch import activations, layers

    rng, want = np.random.default_rng(5), np.zeros(1)
    while len(np.unique(want)) < 4:  # bits at random may leave nothing
        module, shape = made(name, pquant, layers, activations, rng)
        x = (np.round(rng.normal(size=(60, *shape)) * 512) / 256).astype(np.float32)
        with torch.no_grad():
            want = module(torch.tensor(x)).numpy()
    before = {word: value.clone() for word, value in module.state_dict().items()}
    design = nn2hls.convert(nn2hls.load(module, example=torch.zeros(2, *shape)))
    assert np.array_equal(design.predict(x), want)
    assert all(torch.equal(value, before[word]) for word, value in module.state_dict().items())
