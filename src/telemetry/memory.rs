//! How much memory the process uses, and how much it may use.

use std::fs;
use std::path::Path;

/// Bytes of this process that are resident.
#[must_use]
pub fn usage_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Bytes this process may use: the smallest limit of its control groups, or else all there is.
#[must_use]
pub fn limit_bytes() -> Option<u64> {
    let all = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = group_limit(Path::new("/sys/fs/cgroup"), &groups);
    Some(limit.map_or(all, |bytes| bytes.min(all)))
}

/// A value of the form `Name:   123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number * 1_024)
}

/// The smallest limit on the way from the group up to the root. `groups` is `/proc/self/cgroup`:
/// lines of `number:controllers:path`, where version 2 names no controllers.
fn group_limit(root: &Path, groups: &str) -> Option<u64> {
    let mut smallest: Option<u64> = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (top, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|c| c == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            let text = fs::read_to_string(top.join(group).join(file)).unwrap_or_default();
            // An unlimited group says "max"; the old kind says a number near 2^63.
            let limit = text.trim().parse().ok().filter(|&bytes: &u64| bytes < 1 << 60);
            smallest = smallest.into_iter().chain(limit).min();
        }
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_group_limit_counts() {
        let root = std::env::temp_dir().join(format!("undercroft-cgroup-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let file = root.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("a/memory.max", "5000\n");
        write("a/b/memory.max", "max\n");
        write("memory/c/memory.limit_in_bytes", "4000\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(group_limit(&root, "0::/a/b\n"), Some(5_000));
        assert_eq!(group_limit(&root, "4:cpu,memory:/c\n1:name=x:/\n0::/a/b"), Some(4_000));
        assert_eq!(group_limit(&root, "0::/elsewhere\n"), None);
        assert_eq!(group_limit(&root, "nonsense"), None);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn kilobytes_are_read() {
        assert_eq!(kilobytes("A:  1 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12_288));
        assert_eq!(kilobytes("VmRSS: much", "VmRSS:"), None);
    }
}
