# Every workflow of this repository. `just` alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]
# Arguments reach the program as they were typed, blanks included.
set positional-arguments

# Lists the workflows
[private]
default:
    @"{{ just_executable() }}" --list --unsorted

# API and worker on http://127.0.0.1:8072
run *args:
    cargo run --release -- "$@"

# A worker alone, on the same database as a running `crewd serve`
worker *args:
    cargo run --release -- worker "$@"

# Unit tests: of all crates, or of one (`just test domain`)
test crate="":
    cargo test {{ if crate == "" { "--workspace --lib --bins" } else { "-p crewd-" + crate } }}

# Every test there is, end to end included; what the README promises
test-all:
    cargo test --workspace

# The black-box tests alone: the real binary, real sockets, a scripted model
e2e *filter:
    cargo test -p crewd-tests "$@"

# The load tests, alone on the machine: `just bench --only rate --database URL --redis URL`; all cases are in bench/README.md
bench *args:
    cargo build --release
    cargo run --release -p crewd-bench -- "$@"

# The proof of durability: kills, full disks, sick models; `--full` is the published size, `--database URL` another engine
chaos *args:
    cargo build
    cargo build --release
    cargo run --release -p crewd-chaos -- "$@"

# Formats all Rust code
fmt:
    cargo fmt --all

# Lints all Rust code; warnings are errors
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# What to run before a commit: form, lints, links, and the rules of the house
check:
    cargo fmt --all --check
    python3 scripts/check_links.py
    python3 scripts/sizing_test.py
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test -p crewd-tests --test architecture

# The database's schema: up, down or status
migrate action="status" *args:
    cargo run -- migrate "$@"

# Prints the OpenAPI document
openapi:
    @cargo run --quiet -- openapi

# Builds the documentation of all crates; warnings are errors
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace --all-features

# Databases and Redis for development: up, down, status, env; `just services up postgres redis` starts these alone
services action="status" *names:
    @python3 scripts/services.py "$@"
