"""The tables: medians of what was measured, and ratios within one run."""

from statistics import median


def middle(runs):
    """The median of each figure over the runs of a measurement."""
    numbers = [key for key, value in runs[0].items() if isinstance(value, (int, float))]
    return {key: median(run[key] for run in runs) for key in numbers}


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def ratio(value, base):
    return f"{value / base:.2f}" if base else ""


def table(head, lines):
    text = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(text + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"


def requests(results):
    """Each operation at each number of connections: both servers side by side."""
    lines = []
    for key, servers in results.items():
        operation, connections = key.split("@")
        base = middle(servers["axum + sqlx"]) if "axum + sqlx" in servers else {}
        for name, runs in servers.items():
            it = middle(runs)
            lines.append([
                f"{operation}, {connections} connections", name, number(it["rate"]), ratio(it["rate"], base.get("rate")),
                number(it.get("p50"), 2), number(it.get("p99"), 2), number(it["server"]),
                ratio(it["server"], base.get("server")) if it["server"] else "", number(it["database"]),
                ratio(it["database"], base.get("database")),
                number(it["written"] / 1000, 1) if (it.get("written") or 0) > 500 else "",
            ])
    head = ["operation", "server", "requests/s", "×", "p50 ms", "p99 ms", "server CPU µs", "×", "PostgreSQL CPU µs", "×",
            "log kB"]
    return table(head, lines)


def deep(results):
    """Pages and sends in large histories, against the same in small ones."""
    lines = []
    for key, servers in results.items():
        first, later = key.split(" -> ")
        for name, pair in servers.items():
            base, it = (middle(runs) for runs in pair)
            both = lambda each: each["server"] + each["database"]
            lines.append([f"{later}, against {first.split(', ')[1]}", name, number(base["p50"], 2), number(it["p50"], 2),
                          ratio(it["p50"], base["p50"]), number(both(base)), number(both(it)),
                          ratio(both(it), both(base))])
    return table(["operation", "server", "p50 ms, first", "p50 ms", "×", "CPU µs, first", "CPU µs", "×"], lines)


def sqlite(results):
    lines = []
    for operation, both in results.items():
        ours, limit = middle(both["causerie"]), middle(both["rusqlite"]) if "rusqlite" in both else {}
        lines.append([operation, number(ours["rate"]), number(limit.get("rate")), ratio(ours["rate"], limit.get("rate")),
                      number(ours["p50"], 2), number(ours["p99"], 2), number(ours["server"])])
    head = ["operation, 16 connections", "requests/s", "in process", "×", "p50 ms", "p99 ms", "CPU µs"]
    return table(head, lines)


def words(results):
    lines = []
    for name, it in results.items():
        times = lambda key: [number(it[key]["p50"], 1), number(it[key]["p99"], 1)]
        lines.append([name, number(it["words"]), number(it["failed"]), *times("word"), *times("first"), *times("end"), number(it["server"]),
                      number(it["database"]), number(it["client"]), number(it["memory"] / 1e6)])
    head = ["load", "words", "refused replies", "word p50 ms", "p99", "first word p50 ms", "p99", "end p50 ms", "p99", "server CPU µs a word",
            "PostgreSQL", "provider and readers", "peak MB"]
    return table(head, lines)


def idle(it):
    head = ["at rest MB", "a stream kB", "at its peak kB", "ready after ms"]
    return table(head, [[number(it["rest"] / 1e6, 1), number(it["stream"] / 1e3, 1), number(it["peak"] / 1e3, 1),
                         number(it["ready"])]])


def growth(results):
    """CPU a request, server and database together, by the number of messages."""
    sizes = sorted({size for by_size in results.values() for size in by_size})
    lines = []
    for name, by_size in results.items():
        values = [by_size.get(size) for size in sizes]
        first = values[0]
        lines.append([name, *(number(value) for value in values), ratio(values[-1], first)])
    return table(["operation, CPU µs a request", *(f"{size:,} messages" for size in sizes), "last against first"], lines)
