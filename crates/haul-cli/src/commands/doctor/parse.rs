//! The kernel's files: text to numbers. Pure; what can't be read is `None`.

/// A file that holds one number.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Two numbers, as in `32768 60999`.
pub(super) fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A line of `/proc/meminfo`, in bytes: `MemAvailable:   23889148 kB`.
pub(super) fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    number(line.trim_end().strip_suffix("kB")?).and_then(|kib| kib.checked_mul(1024))
}

/// A line of `memory.stat`: `inactive_file 4096`.
pub(super) fn stat(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| number(line.strip_prefix(name)?.strip_prefix(' ')?))
}

/// Where `/proc/self/cgroup` places this process: in the hierarchy of `controller` (version 1), and in the unified one.
pub(super) fn groups(text: &str, controller: &str) -> (Option<String>, Option<String>) {
    let (mut own, mut unified) = (None, None);
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        if controllers.is_empty() {
            unified = Some(path.to_owned());
        } else if controllers.split(',').any(|name| name == controller) {
            own = Some(path.to_owned());
        }
    }
    (own, unified)
}

/// `cpu.max`, in cores: `50000 100000` is a half; `max 100000` is none.
pub(super) fn cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    cores(quota, period)
}

/// A quota of a period, in cores. Not positive: no limit.
pub(super) fn cores(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_files_are_read_and_others_are_nothing() {
        assert_eq!(range("32768\t60999\n"), Some((32768, 60999)));
        assert_eq!((range(""), range("1"), range("1 99999")), (None, None, None));
        let text = "MemTotal:  2 kB\nMemAvailable:   23889148 kB\n";
        assert_eq!(meminfo(text, "MemAvailable"), Some(23_889_148 * 1024));
        assert_eq!((meminfo(text, "Mem"), meminfo("MemAvailable: x kB", "MemAvailable")), (None, None));
        assert_eq!(stat("active_file 1\ninactive_file 4096\n", "inactive_file"), Some(4096));
        assert_eq!((number("7\n"), number("max\n")), (Some(7), None));
    }

    #[test]
    fn both_kinds_of_control_groups_are_found() {
        let text = "4:memory:/box/a\n3:cpu,cpuacct:/box\n0::/slice/b\nnonsense\n";
        assert_eq!(groups(text, "memory"), (Some("/box/a".into()), Some("/slice/b".into())));
        assert_eq!(groups(text, "cpu").0.as_deref(), Some("/box"));
        assert_eq!(groups("", "cpu"), (None, None));
    }

    #[test]
    fn a_quota_is_told_in_cores() {
        assert_eq!((cpu_max("50000 100000\n"), cpu_max("max 100000\n"), cpu_max("")), (Some(0.5), None, None));
        assert_eq!((cores("-1\n", "100000\n"), cores("150000", "100000")), (None, Some(1.5)));
    }
}
