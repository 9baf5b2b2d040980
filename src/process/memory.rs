//! Keeps the memory of this process, which has tokens and people's data, out of core dumps.

/// Switches off core dumps for this process and its children.
///
/// The limit prevents dumps to files. If the system pipes dumps to a program, it ignores the limit,
/// and only a process that is not dumpable has none; other processes of the same user then cannot
/// read its memory either. A process that is traced from its start stays dumpable, because its
/// tracer sees everything anyway. If the system refuses any of this, nothing changes.
#[cfg(target_os = "linux")]
pub fn keep_out_of_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    if !is_traced(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(not(target_os = "linux"))]
pub fn keep_out_of_dumps() {}

/// Returns whether a text like `/proc/self/status` names a tracer.
#[cfg(target_os = "linux")]
fn is_traced(status: &str) -> bool {
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_is_told_by_its_number() {
        assert!(is_traced("Name:\tx\nTracerPid:\t17\nUid:\t0\n"));
        assert!(!is_traced("Name:\tx\nTracerPid:\t0\n") && !is_traced(""));
    }
}
