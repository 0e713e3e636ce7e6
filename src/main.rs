//! The program: hands the arguments to [`cachetui::cli`] and ends with its exit code.

fn main() -> std::process::ExitCode {
    cachetui::cli::main()
}
