//! What can go wrong.

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A server dies, and comes back.
    Kill,
    /// A server has no life for longer than its lease.
    Freeze,
    /// A server is told to stop, and another one takes its place.
    Renew,
    /// The database restarts at once.
    Restart,
    /// The database is away for seconds.
    Outage,
    /// The database is away for longer than the lease.
    LongOutage,
    /// Nothing arrives between servers and database for longer than the lease, and no connection breaks.
    BlackHole,
    /// The database is far away for a while.
    Latency,
    /// The primary dies, and its standby takes its place.
    FailOver,
}

/// Each fault, its name, what a run must have counted that chose it, and how often it is dealt.
const FAULTS: [(Fault, &str, &str, usize); 9] = [
    (Fault::Kill, "kill", "kills", 3),
    (Fault::Freeze, "freeze", "freezes", 4),
    (Fault::Renew, "renew", "graceful stops", 2),
    (Fault::Restart, "restart", "database restarts", 2),
    (Fault::Outage, "outage", "database outages", 1),
    (Fault::LongOutage, "long-outage", "database outages longer than the lease", 1),
    (Fault::BlackHole, "black-hole", "black holes", 2),
    (Fault::Latency, "latency", "times of latency", 1),
    (Fault::FailOver, "fail-over", "fail-overs", 2),
];

/// What even the shortest run has, in this order.
const FIRST: [Fault; 5] = [Fault::Kill, Fault::Freeze, Fault::BlackHole, Fault::FailOver, Fault::Restart];

/// What happens on an SQLite file, which one server has for itself.
const SQLITE: [Fault; 2] = [Fault::Kill, Fault::Renew];

/// The faults with these names, between commas; without names, all that there can be.
///
/// # Errors
/// If there is no such fault.
pub fn chosen(names: Option<&str>, sqlite: bool) -> Result<Vec<Fault>, String> {
    let there = FAULTS.into_iter().filter(|(fault, ..)| !sqlite || SQLITE.contains(fault));
    let there: Vec<_> = there.map(|(fault, name, ..)| (fault, name)).collect();
    let Some(names) = names else { return Ok(there.into_iter().map(|(fault, _)| fault).collect()) };
    let find = |name: &str| {
        let fault = there.iter().find(|(_, known)| *known == name).map(|(fault, _)| *fault);
        let known: Vec<_> = there.iter().map(|(_, name)| *name).collect();
        fault.ok_or_else(|| format!("{name} is not known: there are {}", known.join(", ")))
    };
    names.split(',').map(find).collect()
}

impl Fault {
    /// What a journal counts it as.
    pub fn counted(self) -> &'static str {
        FAULTS.iter().find(|(fault, ..)| *fault == self).map_or("", |(_, _, counted, _)| counted)
    }
}

/// What to begin with, the first one last.
pub fn first(chosen: &[Fault]) -> Vec<Fault> {
    let always = FIRST.into_iter().rev().filter(|fault| chosen.contains(fault));
    // Whoever chooses faults wants to see each of them.
    let others = chosen.iter().copied().filter(|fault| chosen.len() < FIRST.len() && !FIRST.contains(fault));
    others.chain(always).collect()
}

/// Faults in the proportions in which they are dealt.
pub fn deck(chosen: &[Fault]) -> Vec<Fault> {
    let dealt = FAULTS.into_iter().filter(|(fault, ..)| chosen.contains(fault));
    dealt.flat_map(|(fault, _, _, count)| std::iter::repeat_n(fault, count)).collect()
}

/// What a run must have seen to prove anything.
pub fn needed(chosen: &[Fault]) -> Vec<&'static str> {
    let mut needed = vec![
        "messages acknowledged",
        "returns of readers",
        "changes followed",
        "events read in bodies",
        "events read on sockets",
        "events read by REST",
        "pieces of reasoning read",
        "tool calls read",
    ];
    if chosen.contains(&Fault::Kill) || chosen.contains(&Fault::Freeze) {
        needed.push("takeovers seen");
    }
    needed.extend(first(chosen).into_iter().map(Fault::counted));
    needed
}
