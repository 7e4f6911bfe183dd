# What there is to do. `scripts/play` and `scripts/test` do without `just`.

# Lists the recipes.
default:
    @just --list

# Format, lints, documentation, tests, browser, scripts.
check:
    scripts/test

# Unit tests and tests with sockets, without lints.
test *FLAGS:
    cargo test --locked {{FLAGS}}

# Builds, starts everything and prints the address to open.
play *FLAGS:
    scripts/play {{FLAGS}}

# The kernels beside other crates, then the whole product beside bare servers: about 15 minutes.
bench:
    cargo bench --locked --bench kernels
    cargo build --locked --release
    cargo run --locked --release -- bench tick
    cargo run --locked --release -- bench replay
    cargo run --locked --release -- bench network
    cargo run --locked --release -- bench clock

# Fuzzes one decoder (a name from fuzz/corpus); needs nightly Rust and cargo-fuzz. What it finds
# lies in fuzz/found, for somebody to choose from.
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/found/{{TARGET}}
    cargo +nightly fuzz run {{TARGET}} fuzz/found/{{TARGET}} fuzz/corpus/{{TARGET}} -- -max_total_time={{SECONDS}} -max_len=16384

# Records the play that is re-run by the tests anew: after a change of the rules, with a new
# `sim::VERSION`.
recording:
    BLESS=1 cargo test --locked --test sim recording::

# Writes the corpus anew after a change of a format; what a fuzzer has found stays.
corpus:
    UNDERCROFT_WRITE_CORPUS=1 cargo test --locked --test it corpus::seeds
    cargo test --locked --test it corpus::
