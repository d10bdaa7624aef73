//! The product itself, under a name that integration tests can find.

fn main() -> std::process::ExitCode {
    crewd_server::main()
}
