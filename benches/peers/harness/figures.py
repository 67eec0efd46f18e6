"""From samples to figures: medians and ratios. Pure."""
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    cpu_us: float  # of the client, a request
    per_second: float
    requests: int
    connections: int
    resumed: float | None  # share of the handshakes; None without TLS
    origin_cpu_us: float  # of the origin, a request


@dataclass(frozen=True)
class SlowSample:
    alone: float  # quick requests a second without slow hosts
    beside: float  # and with


def middle(samples, field):
    """The median; None where it is not known of all."""
    values = [getattr(sample, field) for sample in samples]
    return None if None in values else median(values)


def spread(samples, field):
    """Half the distance between the quartiles, as a share of the median; 0 of fewer than three."""
    values = sorted(getattr(sample, field) for sample in samples)
    if len(values) < 3 or not median(values):
        return 0.0
    quarter = len(values) // 4
    return (values[-1 - quarter] - values[quarter]) / 2 / median(values)


def summarise(samples):
    """Medians of the samples by contender: name → figures."""
    return {name: slow_row(taken) if isinstance(taken[0], SlowSample) else row(taken) for name, taken in samples.items()}


def row(samples):
    fields = ("cpu_us", "per_second", "requests", "connections", "resumed", "origin_cpu_us")
    figures = {field: middle(samples, field) for field in fields}
    return figures | {"spread": spread(samples, "cpu_us"), "samples": [sample.cpu_us for sample in samples]}


def slow_row(samples):
    kept = [sample.beside / sample.alone for sample in samples]
    return {"alone": middle(samples, "alone"), "beside": middle(samples, "beside"), "kept": median(kept), "samples": kept}


def ratio(figures, name, base):
    """The one's processor time over the other's; None if either is not there."""
    if name not in figures or base not in figures or not figures[base]["cpu_us"]:
        return None
    return figures[name]["cpu_us"] / figures[base]["cpu_us"]
