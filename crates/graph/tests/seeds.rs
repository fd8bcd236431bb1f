//! The fuzz targets over their seeds, and over every input that once broke one: `test/crashers/<target>-<what>`.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is in the tree");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

#[test]
fn seeds_and_crashers_run_clean() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, run) in bodies::TARGETS {
        let seeds = files(&here.join("fuzz/seeds").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        let crashers = files(&here.join("../../test/crashers"));
        let own = crashers.iter().filter(|file| {
            file.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(&format!("{name}-")))
        });
        for file in seeds.iter().chain(own) {
            println!("{name} {}", file.display());
            run(&fs::read(file).expect("a readable file"));
        }
    }
}
