//! One of the main paths, so many times: `instructions PATH TURNS`. What it costs is counted from outside, by `benches/count`.

mod paths;

/// As in the daemon.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [name, turns] => {
            let mut path = paths::Path::new(name);
            (0..turns.parse().expect("a number of turns")).for_each(|_: u32| path.run());
        }
        _ => paths::NAMES.iter().for_each(|name| println!("{name}")),
    }
}
