//! The `crewd` program.

fn main() -> std::process::ExitCode {
    crewd_server::main()
}
