"""The project's targets, held against the figures. Pure."""
from harness.figures import ratio

# haul's ratio to another contender in one workload: (workload, which, to whom, at most).
RATIOS = [
    ("1", "haul bench", "wrk", 1.2),
    ("1", "haul bench", "fasthttp", 1.0),
    ("1", "haul bench", "oha", 0.75),
    ("1", "haul bench", "reqwest", 0.55),
    ("1", "haul get", "wrk", 1.4),
    ("1", "haul get", "hyper-util's client", 1.0),
    ("1", "haul get", "oha", 1.0),
    ("3", "haul bench", "hyper by hand", 1.0),
    ("3", "haul bench", "oha", 0.55),
    ("5.full", "haul bench", "hyper by hand", 1.15),
    ("5.resumed", "haul bench", "hyper by hand", 1.15),
    ("5.tcp", "haul bench", "oha", 1.0),
]
# haul's cost in one workload over its own in workload 1.
MANY_HOSTS = [
    (f"2.{hosts}.{order}", "haul get", most) for hosts, most in (("1k", 1.25), ("10k", 1.5)) for order in ("sorted", "shuffled")
]


# The two builds of haul: the usual one, and the one built with PGO.
BUILDS = ("", " (PGO)")


def held(results):
    """A line for each target whose figures are there: (what, at most, measured). `results`: workload → figures."""
    lines = [line for build in BUILDS for line in of_build(results, build)]
    return [line for line in lines if line[2] is not None]


def of_build(results, build):
    """The lines of one build of haul; measured is None where figures are missing."""
    for workload, which, base, most in RATIOS:
        measured = ratio(results.get(workload, {}), which + build, base)
        yield f"{which}{build} to {base}, workload {workload}", most, measured
    for workload, which, most in MANY_HOSTS:
        there, alone = (results.get(name, {}).get(which + build) for name in (workload, "1"))
        measured = there["cpu_us"] / alone["cpu_us"] if there and alone else None
        yield f"{which}{build}, workload {workload} to workload 1", most, measured
