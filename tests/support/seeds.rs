//! The seeds of random tests. `GATEWATCH_SEEDS` selects them:
//!
//! - `fixed`, the default: the same cases in every run, so that CI is reproducible.
//! - `random`: new cases in every run, for `make verify`. A test that fails prints its seed.
//! - a seed that a failed test printed: the same cases again.

use std::{collections::hash_map::RandomState, env, hash::BuildHasher};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner with this number of cases, unless `PROPTEST_CASES` gives another one. It stores no counterexamples: keep
/// each one as a test with a name instead.
#[allow(clippy::disallowed_methods, clippy::panic, reason = "a test reads its own variables")]
pub fn runner(cases: u32) -> TestRunner {
    // `Config::default` reads `PROPTEST_CASES`.
    let cases = if env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let seed = match env::var("GATEWATCH_SEEDS").as_deref() {
        Ok("random") => RandomState::new().hash_one(0),
        Ok("fixed") | Err(_) => 0,
        Ok(seed) => u64::from_str_radix(seed, 16).unwrap_or_else(|_| panic!("GATEWATCH_SEEDS is {seed:?}")),
    };
    if seed != 0 {
        println!("to repeat this: GATEWATCH_SEEDS={seed:016x}");
    }
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
