//! Prints the instructions of PTX files that the machine does not know.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        match brenier_emulator::unsupported(&text) {
            Ok(found) if found.is_empty() => println!("{path}: all known"),
            Ok(found) => println!("{path}:\n    {}", found.join("\n    ")),
            Err(error) => println!("{path}: {error}"),
        }
    }
    Ok(())
}
