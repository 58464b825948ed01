//! The container image, built by its own `Dockerfile` around a static binary and run by a real Docker engine.

use crate::support::{BulkServer, Engine, FORWARD_SOURCE, PATIENCE, STDOUT_MATCH, TempDir, free_port, service, wait_until};
use std::path::Path;
use std::sync::OnceLock;

/// The image under test.
const IMAGE: &str = "flumen-image";
/// What the image may weigh.
const SIZE_AT_MOST: u64 = 15_000_000;

/// The engine with the image in it; `None` where that cannot be had.
fn engine_with_image() -> Option<&'static Engine> {
    static BUILT: OnceLock<bool> = OnceLock::new();
    let engine = Engine::shared()?;
    let Some(binary) = std::env::var_os("FLUMEN_STATIC_BINARY") else {
        assert!(!service::services_required(), "FLUMEN_STATIC_BINARY has to name the static binary");
        service::skip("no static binary: build one with .ci/build-static FOLDER and name it in FLUMEN_STATIC_BINARY");
        return None;
    };
    BUILT.get_or_init(|| {
        build(engine, Path::new(&binary));
        true
    });
    Some(engine)
}

/// Builds as people do, but for the first stage: it starts from busybox, and finds the binary already compiled.
fn build(engine: &Engine, binary: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = TempDir::new();
    for folder in ["conf", "prebuilt"] {
        std::fs::create_dir(context.path().join(folder)).unwrap();
    }
    for file in ["Dockerfile", "conf/default.conf"] {
        std::fs::copy(root.join(file), context.path().join(file)).unwrap();
    }
    std::fs::copy(binary, context.path().join("prebuilt/flumen")).unwrap();
    let builder = format!("BUILDER={}", Engine::IMAGE);
    let context = context.path().to_str().unwrap();
    engine.docker(&["build", "--network=host", "--build-arg", &builder, "--tag", IMAGE, context]);
}

/// A container of the image that collects, removed at the end of the test.
struct Collector {
    engine: &'static Engine,
    id: String,
    port: u16,
    _folder: TempDir,
}

impl Collector {
    fn start(engine: &'static Engine, matched: &str, options: &[&str]) -> Collector {
        let (folder, port) = (TempDir::new(), free_port());
        let config = folder.path().join("fluent.conf");
        std::fs::write(&config, format!("{FORWARD_SOURCE}{matched}")).unwrap();
        let mount = format!("{}:/fluentd/etc/fluent.conf:ro", config.display());
        let variable = format!("FORWARD_PORT={port}");
        let mut arguments = vec!["run", "--detach", "--network=host", "--volume", &mount, "--env", &variable];
        arguments.extend(options);
        arguments.push(IMAGE);
        let collector = Collector { engine, id: engine.docker(&arguments), port, _folder: folder };
        wait_until("the collector to listen", PATIENCE, || {
            let running = engine.docker(&["inspect", "--format={{.State.Running}}", &collector.id]);
            assert_eq!(running, "true", "it ended: {}", collector.printed());
            crate::support::is_listening(port).then_some(())
        });
        collector
    }

    /// Both of its streams.
    fn printed(&self) -> String {
        let output = self.engine.try_docker(&["logs", &self.id]);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// Runs a container that logs one line to it.
    fn collect(&self, tag: &str, line: &str) {
        let address = format!("fluentd-address=127.0.0.1:{}", self.port);
        let tag = format!("tag={tag}");
        let options = ["run", "--rm", "--network=none", "--log-driver=fluentd", "--log-opt", &address, "--log-opt", &tag];
        self.engine.docker(&[&options[..], &[Engine::IMAGE, "echo", line]].concat());
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.engine.try_docker(&["rm", "--force", &self.id]);
    }
}

#[test]
fn one_container_logs_and_another_collects() {
    let Some(engine) = engine_with_image() else { return };
    let collector = Collector::start(engine, STDOUT_MATCH, &[]);
    collector.collect("some.service", "from one container to another");
    wait_until("the line", PATIENCE, || {
        let printed = collector.printed();
        printed.lines().any(|line| line.contains(" some.service: {") && line.contains("from one container to another")).then_some(())
    });
    engine.docker(&["stop", "--time=20", &collector.id]);
    assert_eq!(engine.docker(&["inspect", "--format={{.State.ExitCode}}", &collector.id]), "0", "{}", collector.printed());
}

#[test]
fn names_are_resolved_without_the_c_library() {
    let Some(engine) = engine_with_image() else { return };
    let server = BulkServer::start();
    let store = format!("@type elasticsearch\n  host search.example\n  port {}\n  flush_interval 1s", server.port());
    let collector = Collector::start(engine, &format!("<match some.**>\n  {store}\n</match>\n"), &["--add-host=search.example:127.0.0.1"]);
    collector.collect("some.service", "by name");
    assert_eq!(server.wait_for_documents(1)[0].1["log"], "by name", "{}", collector.printed());
}

#[test]
fn the_image_is_small_and_its_default_configuration_starts() {
    let Some(engine) = engine_with_image() else { return };
    let size: u64 = engine.docker(&["inspect", "--format={{.Size}}", IMAGE]).parse().unwrap();
    assert!(size < SIZE_AT_MOST, "{size} bytes");
    assert_eq!(engine.docker(&["inspect", "--format={{.Config.User}}", IMAGE]), "999:999");
    let dry_run = ["run", "--rm", "--network=none", IMAGE, "-c", "/fluentd/etc/fluent.conf", "--dry-run"];
    engine.docker(&dry_run);
    let id = engine.docker(&["run", "--detach", "--network=none", IMAGE]);
    wait_until("the default configuration to run", PATIENCE, || {
        let running = engine.docker(&["inspect", "--format={{.State.Running}}", &id]);
        let output = engine.try_docker(&["logs", &id]);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(running, "true", "it ended: {log}");
        log.contains("is now running").then_some(())
    });
    engine.docker(&["rm", "--force", &id]);
}
