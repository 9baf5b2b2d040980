//! What the program is built of. `cargo deny` (`deny.toml`) looks closer; this holds also where it
//! is not installed.

const LOCK: &str = include_str!("../../Cargo.lock");

/// The values of a key of all packages in a lock file.
fn values<'a>(lock: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    lock.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

const OTHER_TLS: [&str; 6] = ["ring", "openssl", "openssl-sys", "native-tls", "boring", "boring-sys"];

/// Every crate that is built for this system. The lock file names more: also what a feature that is
/// switched off, or another system, would need. What another system needs is not on every machine.
fn built() -> String {
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--offline", "--prefix", "none", "--format", "{lib}"]);
    let tree = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout).unwrap()
}

fn foreign(lock: &str) -> Vec<&str> {
    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
    values(lock, "source").filter(|source| *source != REGISTRY).collect()
}

#[test]
fn there_is_one_tls_provider_and_every_crate_comes_from_crates_io() {
    let built = built();
    let has = |name: &str| built.lines().any(|built| built.trim() == name.replace('-', "_"));
    assert!(has("aws-lc-rs") && has("rustls"), "{built}");
    let others: Vec<_> = OTHER_TLS.into_iter().filter(|name| has(name)).collect();
    assert_eq!(others, [""; 0]);
    assert!(values(LOCK, "source").count() > 100, "the lock file is not read as it is written");
    assert_eq!(foreign(LOCK), [""; 0]);
    assert_eq!(foreign("source = \"git+https://example.com/ring\""), ["git+https://example.com/ring"]);
}

#[test]
fn the_configuration_of_cargo_deny_bans_what_this_file_bans() {
    let deny = include_str!("../../deny.toml");
    for name in OTHER_TLS {
        assert!(deny.contains(&format!("{{ name = \"{name}\" }}")), "{name}");
    }
    assert!(deny.contains("unknown-registry = \"deny\"") && deny.contains("unknown-git = \"deny\""));
}
