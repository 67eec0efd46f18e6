"""The tables as Markdown, everything as JSON. Pure."""
import json

from harness.figures import ratio
from harness.targets import held


def markdown(machine, contenders, workloads, results, wrong, quick):
    """`contenders`: (contender, version or None for missing); `results`, `wrong`: by workload's name, by contender's."""
    parts = [f"Measured {machine}."]
    if quick:
        parts += ["A quick run: it shows that everything works. The figures, start-up included, mean nothing."]
    for workload in workloads:
        figures, failures = results[workload.name], wrong[workload.name]
        table = slow_table if workload.slow_hosts else cpu_table
        able = [entry for entry in contenders if takes_part(entry[0], workload)]
        parts += [f"## {workload.name}: {workload.title}", table(workload, able, figures, failures)]
    lines = held(results)
    if lines and not quick:
        parts += ["## Targets", targets_table(lines)]
    parts += ["## Contenders", contenders_table(contenders)]
    return "\n\n".join(parts) + "\n"


MARK = "<!-- benches/peers/run --docs writes all that follows -->"


def page(before, tables):
    """The page with these tables in place of those before."""
    kept, mark, _ = before.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK}")
    return f"{kept}{mark}\n\n{tables}"


def takes_part(contender, workload):
    return workload.needs <= contender.can


def absent(contender, version, failures):
    """What stands instead of figures."""
    return "missing" if version is None else failures.get(contender.name, "not in a quick run")


def cpu_table(workload, contenders, figures, failures):
    base = base_of(figures)
    tls = workload.port.startswith("tls")
    head = ["client", "CPU a request", "±", f"to {base}", "requests/s", "connections"] + ["resumed"] * tls
    rows = []
    for contender, version in contenders:
        mine = figures.get(contender.name)
        if not mine:
            rows.append([contender.name, absent(contender, version, failures)] + [""] * (len(head) - 2))
            continue
        name = contender.name + (" (decodes)" if workload.path.endswith(".gz") and contender.decodes else "")
        cells = [name, f"{mine['cpu_us']:,.2f} µs", f"{mine['spread']:.0%}", f"{ratio(figures, contender.name, base):.2f}"]
        cells += [f"{mine['per_second']:,.0f}", f"{mine['connections']:,.0f}"]
        rows.append(cells + [f"{mine['resumed'] or 0:.0%}"] * tls)
    text = table(head, rows)
    spent = [mine["origin_cpu_us"] for name, mine in figures.items() if mine["origin_cpu_us"]]
    if spent:
        text += f"\n\nThe origin itself spent {min(spent):.2f} to {max(spent):.2f} µs a request."
    return text


def base_of(figures):
    """Whom the others are compared with: wrk, or where it can't take part, the cheapest that parses."""
    for name in ("wrk", "hyper by hand", "haul bench", "haul get"):
        if name in figures:
            return name
    return next(iter(figures), "none")


def slow_table(workload, contenders, figures, failures):
    rows = []
    for contender, version in contenders:
        mine = figures.get(contender.name)
        if mine:
            rows.append([contender.name, f"{mine['alone']:,.0f}", f"{mine['beside']:,.0f}", f"{mine['kept']:.0%}"])
        else:
            rows.append([contender.name, absent(contender, version, failures), "", ""])
    return table(["client", "quick requests/s, alone", "beside slow hosts", "kept"], rows)


def targets_table(lines):
    met = lambda most, measured: "met" if measured <= most else "not met"
    rows = [[what, f"{most:.2f}", f"{measured:.2f}", met(most, measured)] for what, most, measured in lines]
    return table(["what", "at most", "measured", ""], rows)


def contenders_table(contenders):
    rows = []
    for contender, version in contenders:
        there = "missing: " + contender.how if version is None else version
        rows.append([contender.name, there])
    return table(["client", "version"], rows).replace("---:|", "---|")


def table(head, rows):
    line = lambda cells: "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"
    rule = "|---" + "|---:" * (len(head) - 1) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def as_json(machine, contenders, workloads, results, wrong, quick):
    return json.dumps(
        {
            "machine": machine,
            "quick": quick,
            "contenders": {entry.name: {"version": version, "how": entry.how} for entry, version in contenders},
            "workloads": {
                load.name: {"title": load.title, "figures": results[load.name], "wrong": wrong[load.name]}
                for load in workloads
            },
            "targets": [{"what": what, "at_most": most, "measured": measured} for what, most, measured in held(results)],
        },
        indent=1,
    )
