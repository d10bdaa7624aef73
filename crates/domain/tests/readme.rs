//! The README says what the code does.

use crewd_domain::runs::RunStatus;

#[test]
fn the_table_of_states_is_the_one_of_the_code() {
    let readme = include_str!("../README.md");
    let (_, states) = readme.split_once("## States").unwrap();
    let mut known = Vec::new();
    for row in states.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        for from in names(cells[0]) {
            let then: Vec<RunStatus> = names(cells[1]).collect();
            for to in RunStatus::ALL {
                assert_eq!(from.can_become(*to), then.contains(to), "{from} -> {to}");
            }
            known.push(from);
        }
    }
    assert_eq!(known, RunStatus::ALL);
}

fn names(cell: &str) -> impl Iterator<Item = RunStatus> {
    cell.split('`').skip(1).step_by(2).filter_map(RunStatus::parse)
}
