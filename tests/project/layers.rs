//! What the compiler does not know: imports point down by the ranks of ARCHITECTURE.md, and documents lead to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Modules of one rank that may import each other all the same.
const BESIDE: [(&str, &str); 1] = [("conn", "body")];

/// The rank of each module of the library, from the table in ARCHITECTURE.md.
fn ranks() -> BTreeMap<String, u32> {
    let page = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("the map");
    let mut ranks = BTreeMap::new();
    for line in page.lines() {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(Ok(rank)), Some(names)) = (cells.next().map(str::parse), cells.next()) else { continue };
        ranks.extend(names.split('`').skip(1).step_by(2).map(|name| (name.to_owned(), rank)));
    }
    ranks
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The words that follow `prefix` in the code of a file, its comments and documentation left out.
fn named(path: &Path, prefix: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("a source file");
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let word = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    let grouped = |rest: &str| {
        let group = rest.strip_prefix('{')?.split_once('}')?.0;
        Some(group.split(',').filter_map(|part| word(part.trim())).collect::<Vec<_>>())
    };
    let found =
        code.split(prefix).skip(1).flat_map(|rest| grouped(rest).unwrap_or_else(|| word(rest).into_iter().collect()));
    found.filter(|name| !name.is_empty()).collect()
}

/// The folder or file right below `folder` that `path` belongs to.
fn part(folder: &Path, path: &Path) -> String {
    let first = path.strip_prefix(folder).expect("below it").iter().next().expect("not the folder itself");
    first.to_str().expect("a plain name").trim_end_matches(".rs").to_owned()
}

#[test]
fn the_library_s_modules_import_what_stands_below_them() {
    let ranks = ranks();
    let mut upwards = Vec::new();
    let mut seen = 0;
    let folders = ["src", "crates/haul-core/src", "crates/haul-net/src"].map(|folder| Path::new(ROOT).join(folder));
    let files =
        folders.iter().flat_map(|folder| sources(folder).into_iter().map(move |path| (part(folder, &path), path)));
    for (own, path) in files {
        if own == "lib" {
            continue;
        }
        let rank = ranks.get(&own).unwrap_or_else(|| panic!("{own} is not in ARCHITECTURE.md"));
        for other in named(&path, "crate::").into_iter().filter(|other| *other != own) {
            let Some(below) = ranks.get(&other) else { continue };
            seen += 1;
            if below >= rank && !BESIDE.contains(&(&own, &other)) {
                upwards.push(format!("{} imports {other}", path.display()));
            }
        }
    }
    assert!(seen > 200, "{seen} imports were found");
    assert_eq!(upwards, Vec::<String>::new());
}

/// A message of the library's names settings as the library does ([`haul::config::Setting`]); flags are the command's.
#[test]
fn no_message_of_the_library_names_a_flag() {
    let is_flag = |line: &str, at: usize| {
        let (before, after) = (line[..at].chars().next_back(), line[at + 2..].chars().next());
        after.is_some_and(|c| c.is_ascii_lowercase()) && before.is_none_or(|c| !c.is_alphanumeric() && c != '-')
    };
    let mut found = Vec::new();
    for path in ["src", "crates/haul-core/src", "crates/haul-net/src"]
        .iter()
        .flat_map(|folder| sources(&Path::new(ROOT).join(folder)))
    {
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if line.match_indices("--").any(|(at, _)| is_flag(line, at)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn what_commands_share_knows_no_command_and_no_command_another() {
    let folder = Path::new(ROOT).join("crates/haul-cli/src");
    let (commands, shared) = (folder.join("commands"), folder.join("shared"));
    let mut wrong = Vec::new();
    for path in sources(&shared) {
        if named(&path, "crate::").contains("commands") {
            wrong.push(path.display().to_string());
        }
    }
    for path in sources(&commands) {
        let own = part(&commands, &path);
        for other in named(&path, "commands::").into_iter().filter(|other| *other != own && *other != "Cli") {
            wrong.push(format!("{} imports {other}", path.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The parts that a shard is made of, each with its own state.
const ROOMS: [&str; 5] = ["permits", "connections", "hosts", "requests", "outbox"];

#[test]
fn no_file_of_a_shard_uses_more_than_three_of_its_rooms_and_it_has_no_cell_beside_them() {
    let folder = Path::new(ROOT).join("src/engine/shard");
    let mut crowded = Vec::new();
    for path in sources(&folder) {
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let names = |room: &str| ["self.", "shard."].iter().any(|owner| code.contains(&format!("{owner}{room}.")));
        let used = ROOMS.iter().filter(|room| names(room)).count();
        if used > 3 {
            crowded.push(format!("{} uses {used}", path.display()));
        }
    }
    assert_eq!(crowded, Vec::<String>::new());
    let shard = fs::read_to_string(folder.join("mod.rs")).expect("a source file");
    let fields = shard.split_once("struct Shard {").and_then(|(_, rest)| rest.split_once("\n}")).expect("the struct").0;
    assert!(ROOMS.iter().all(|room| fields.contains(&format!("    {room}: "))), "{fields}");
    assert!(!fields.contains("Cell<"), "{fields}");
}

/// The code of a file without its tests.
fn without_tests(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// A name that stands for three things is looked up three times.
#[test]
fn no_type_name_is_given_three_times_and_no_module_another_name() {
    let is_test = |path: &Path| {
        path.iter().any(|part| part == "tests" || part == "haul-testsupport")
            || path.ends_with("tests.rs")
            || path.ends_with("fake.rs")
    };
    let crates = fs::read_dir(Path::new(ROOT).join("crates")).expect("the crates");
    let folders = crates.map(|entry| entry.expect("readable").path().join("src")).chain([Path::new(ROOT).join("src")]);
    let (mut places, mut aliases) = (BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for path in
        folders.flat_map(|folder| sources(&folder)).filter(|path| !is_test(path.strip_prefix(ROOT).expect("ours")))
    {
        for line in without_tests(&path).lines().filter(|line| !line.trim_start().starts_with("//")) {
            let words: Vec<_> =
                line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
            let visibility =
                words.iter().take_while(|word| matches!(**word, "pub" | "crate" | "super" | "in" | "engine" | "shard"));
            if let [kind @ ("struct" | "enum" | "trait" | "type"), name, ..] = words[visibility.count()..]
                && (kind != "type" || !line.starts_with(' '))
            {
                places.entry(name.to_owned()).or_default().push(path.display().to_string());
            }
            let renamed =
                line.split_once(" as ").filter(|_| line.trim_start().starts_with("use ") || line.contains("pub use "));
            if renamed.is_some_and(|(_, name)| name.starts_with(|first: char| first.is_ascii_lowercase())) {
                aliases.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(places.len() > 500, "{} types were found", places.len());
    places.retain(|_, places| places.len() > 2);
    assert!(places.is_empty(), "{places:#?}");
    assert_eq!(aliases, Vec::<String>::new());
}

/// Where the links of a page lead: paths, without what stands behind a `#`.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

#[test]
fn every_page_is_in_the_index_and_every_link_leads_somewhere() {
    let docs = Path::new(ROOT).join("docs");
    let mut pages: Vec<PathBuf> = ["guide", "reference", "design", "measured"]
        .iter()
        .flat_map(|part| fs::read_dir(docs.join(part)).expect("the parts of the documentation"))
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    assert!(pages.len() > 15, "{pages:?}");
    let index = fs::read_to_string(docs.join("README.md")).expect("the index");
    let listed: BTreeSet<PathBuf> = links(&index).map(|link| docs.join(link)).collect();
    let missing: Vec<_> = pages.iter().filter(|page| !listed.contains(*page)).collect();
    assert!(missing.is_empty(), "not in docs/README.md: {missing:?}");
    let roots = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/README.md"];
    pages.extend(roots.map(|name| Path::new(ROOT).join(name)));
    let mut dead = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).expect("a page");
        let folder = page.parent().expect("a folder");
        dead.extend(
            links(&text).filter(|link| !folder.join(link).exists()).map(|link| format!("{}: {link}", page.display())),
        );
    }
    assert_eq!(dead, Vec::<String>::new());
}
