//! CPU time of a server with all its processes, as the kernel counts it.

use std::collections::BTreeMap;
use std::path::Path;

/// Clock ticks a second in `/proc` (`USER_HZ`, 100 on Linux whatever the kernel's own rate).
const TICKS: f64 = 100.0;

/// A server: one process and its descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processes {
    /// The first process.
    pub root: u32,
}

impl Processes {
    /// The process that listens on a port of this machine; none where that cannot be seen.
    #[must_use]
    pub fn listening_on(port: u16) -> Option<Self> {
        let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .flat_map(|table| inodes(&table, port))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        if sockets.is_empty() {
            return None;
        }
        let holds = |pid: &u32| {
            let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let mut links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
            links.any(|link| sockets.iter().any(|socket| link == Path::new(socket)))
        };
        // Children may have inherited the socket; the parent is older.
        pids().into_iter().filter(holds).min().map(|root| Self { root })
    }

    /// CPU time used so far in seconds, by processes that have ended included.
    #[must_use]
    pub fn processor_seconds(self) -> f64 {
        let all: BTreeMap<u32, Stat> = pids().into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect();
        let belongs = |pid: &u32| {
            let (mut at, mut steps) = (*pid, 0);
            while at != self.root && at > 1 && steps < 32 {
                at = all.get(&at).map_or(0, |stat| stat.parent);
                steps += 1;
            }
            at == self.root
        };
        all.iter().filter(|(pid, _)| belongs(pid)).map(|(_, stat)| stat.own + stat.of_ended_children).sum()
    }
}

/// CPU time of one process in seconds; 0 where there is none.
#[must_use]
pub fn processor_seconds(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |stat| stat.own)
}

#[derive(Clone, Copy)]
struct Stat {
    parent: u32,
    own: f64,
    of_ended_children: f64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(&text)
}

fn parse(text: &str) -> Option<Stat> {
    // The name in brackets may hold anything; what follows the last one has fixed places.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: (ticks(11)? + ticks(12)?) / TICKS,
        of_ended_children: (ticks(13)? + ticks(14)?) / TICKS,
    })
}

fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Inodes of sockets that listen on a port, out of a table of the kernel.
fn inodes(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    let local = format!(":{port:04X}");
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&local) && *fields.get(3)? == LISTENING;
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Processes::listening_on(port), Some(Processes { root: std::process::id() }));
        drop(listener);
        assert_eq!(Processes::listening_on(port), None);
    }

    #[test]
    fn times_are_read_behind_the_name() {
        let stat = parse("7 (a) b) S 3 7 7 0 -1 4 1 2 3 4 150 50 20 5 20 0 1 0 9").unwrap();
        assert_eq!((stat.parent, stat.own.round(), stat.of_ended_children), (3, 2.0, 0.25));
        assert!(parse("").is_none());
    }

    #[test]
    fn ports_are_compared_as_the_kernel_writes_them() {
        let table =
            "head\n 0: 0100007F:0CEA 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n 1: 0100007F:0CEA 0100007F:1 01 0:0 0:0 0 0 0 9 1";
        assert_eq!(inodes(table, 3306), ["4711"]);
        assert!(inodes(table, 3307).is_empty());
    }
}
