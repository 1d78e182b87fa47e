"""What a million daily users need, from the costs that were measured."""

import report

USERS = 1_000_000

# What one of them does on a day, and how much busier the busiest hour's seconds are than the day's average.
LISTS, OPENS, SENDS, WORDS = 20, 15, 20, 200
PEAK = 4
# How many are connected at the busiest time, each with one event stream.
CONNECTED = USERS // 10
# How much of a processor's time is to be used at the busiest time.
SHARE = 0.5


def plan(results):
    """A table of what is done at the busiest time, and the processors that it takes."""
    def cost(operation):
        it = report.middle(results["requests"][f"{operation}@16"]["causerie"])
        return it["server"], it["database"], it.get("written") or 0

    streams = results["words"]["PostgreSQL, 200 replies of 50 words/s"]
    lines, server, database, written = [], 0.0, 0.0, 0.0
    for name, daily, (own, stored, log) in [
        ("lists", LISTS, cost("list")),
        ("conversations opened", OPENS, cost("open")),
        ("messages with replies", SENDS, cost("send")),
        ("words to their readers", SENDS * WORDS, (streams["server"], streams["database"], 0)),
    ]:
        rate = USERS * daily / 86_400 * PEAK
        server += rate * own / 1e6
        database += rate * stored / 1e6
        written += rate * log
        lines.append([name, report.number(daily), report.number(rate), report.number(rate * own / 1e6, 1),
                      report.number(rate * stored / 1e6, 1)])
    lines.append(["all", "", "", report.number(server, 1), report.number(database, 1)])
    head = ["", "a user and day", "a second at the peak", "processors, servers", "processors, PostgreSQL"]
    rest = [
        f"With half of each processor left free: **{server / SHARE:.0f} processors for servers, {database / SHARE:.0f} for"
        f" PostgreSQL**, whose write-ahead log grows by {written / 1e6:.0f} MB a second.",
    ]
    if "idle" in results:
        memory = CONNECTED * results["idle"]["stream"] / 1e9
        rest.append(f"{CONNECTED:,} connected devices hold {memory:.1f} GB in all servers together.")
    if "sizes" in results:
        row = results["sizes"]["message"]
        year = USERS * SENDS * 2 * 365
        rest.append(f"A message takes {row:,.0f} bytes with its indexes, without its words for the search; a year's "
                    f"{year / 1e9:.1f} billion are {year * row / 1e12:.0f} TB.")
    return report.table(head, lines) + "\n" + " ".join(rest) + "\n"
