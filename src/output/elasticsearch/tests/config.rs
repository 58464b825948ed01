//! Parameters: what is refused, what is only remarked upon.

use super::settings;
use crate::config::Severity;
use crate::output::WriteError;
use crate::output::elasticsearch::hosts::Server;
use crate::output::elasticsearch::version::Product;

/// The first error.
fn error(params: &str) -> String {
    let (result, diagnostics) = settings(Product::Elasticsearch, params);
    assert!(result.is_err(), "{params} is taken");
    diagnostics.findings().into_iter().find(|finding| finding.severity == Severity::Error).unwrap().message
}

fn notes(params: &str) -> Vec<String> {
    let (result, diagnostics) = settings(Product::Elasticsearch, params);
    assert!(result.is_ok(), "{:?}", diagnostics.findings());
    diagnostics.findings().into_iter().filter(|finding| finding.severity == Severity::Note).map(|finding| finding.message).collect()
}

fn servers(params: &str) -> Vec<Server> {
    let (settings, diagnostics) = settings(Product::Elasticsearch, params);
    let settings = settings.unwrap_or_else(|_| panic!("{:?}", diagnostics.findings()));
    let chunk = super::chunk("t", &[]);
    settings.servers(&settings.hosts.expand(&chunk)).unwrap()
}

fn server(host: &str, port: u16) -> Server {
    Server { host: host.to_owned(), port, tls: false, path: String::new(), login: None }
}

#[test]
fn fluentds_refusals() {
    assert_eq!(error("user joe"), "`password` must be present if `user` is present");
    assert_eq!(error("cloud_id x:eCR5JHo="), "`cloud_auth` must be present if `cloud_id` is present");
    assert_eq!(error("<buffer []>\n</buffer>"), "'tag' or '_index' in chunk_keys is required.");
    assert_eq!(error("ssl_min_version TLSv1_2"), "When you set 'ssl_min_version', must set 'ssl_max_version' together.");
    assert!(error("index_prefix x").contains("already removed: This parameter shouldn't be used in 4.0.0"), "{}", error("index_prefix x"));
    assert!(error("scheme ftp").contains("valid options are"));
}

#[test]
fn placeholders_stand_in_for_the_tag_among_the_chunk_keys() {
    let accepted = |params: &str| settings(Product::Elasticsearch, params).0.is_ok();
    assert!(accepted("<buffer _index>\n</buffer>"));
    assert!(accepted("index_name x-${kind}\n<buffer kind>\n</buffer>"));
    assert!(accepted("index_name x-%Y%m%d\n<buffer time>\ntimekey 1d\n</buffer>"));
    assert!(!accepted("index_name x\n<buffer kind>\n</buffer>"));
    assert!(accepted("index_name x-%Y%m%d"));
    assert!(accepted("index_name x-${nokey}"));
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    for params in
        ["template_name x", "template_file /x", "enable_ilm true", "rollover_index true", "templates {\"a\":\"b\"}", "deflector_alias a"]
    {
        let name = params.split(' ').next().unwrap();
        assert!(error(params).starts_with(&format!("'{name}' is not supported yet")), "{params}");
    }
    assert!(notes("enable_ilm false\nrollover_index false\nilm_policy {}").is_empty());
    let (result, diagnostics) = settings(Product::OpenSearch, "<endpoint>\nurl https://x\n</endpoint>");
    assert!(result.is_err() && diagnostics.findings().iter().any(|finding| finding.message.contains("'<endpoint>'")));
}

#[test]
fn what_is_covered_is_remarked_upon_once() {
    let all =
        notes("reload_connections false\nreconnect_on_error true\nreload_on_failure true\ntemplate_overwrite true\nlog_es_400_reason true");
    assert_eq!(all.len(), 1, "{all:?}");
    for name in ["reload_connections", "reconnect_on_error", "reload_on_failure", "template_overwrite", "log_es_400_reason"] {
        assert!(all[0].contains(name), "{name} in {}", all[0]);
    }
}

#[test]
fn servers_in_all_notations() {
    assert_eq!(servers(""), [server("localhost", 9200)]);
    assert_eq!(servers("host es\nport 9201"), [server("es", 9201)]);
    assert_eq!(servers("host ::1"), [server("[::1]", 9200)]);
    assert_eq!(servers("hosts a:1,b\nport 7"), [server("a", 1), server("b", 7)]);
    let urls = servers("hosts http://a.b/x/,https://joe:p%40ss@c:1,https://%{u/s}:%{p@:s}@d/y\nuser all\npassword them\npath z");
    let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    assert_eq!(urls[0], Server { path: "/x".to_owned(), login: login("all", "them"), ..server("a.b", 80) });
    assert_eq!(urls[1], Server { path: "/z".to_owned(), login: login("joe", "p@ss"), tls: true, ..server("c", 1) });
    assert_eq!(urls[2], Server { path: "/y".to_owned(), login: login("u/s", "p@:s"), tls: true, ..server("d", 443) });
    // eu.example.org$cluster$kibana
    let cloud = servers("cloud_id name:ZXUuZXhhbXBsZS5vcmckY2x1c3RlciRraWJhbmE=\ncloud_auth joe:a:b");
    assert_eq!(cloud, [Server { tls: true, login: login("joe", "a:b"), ..server("cluster.eu.example.org", 443) }]);
    assert_eq!(servers("host es-${tag}"), [server("es-t", 9200)]);
}

#[test]
fn no_server_is_only_warned_about() {
    let (result, diagnostics) = settings(Product::Elasticsearch, "host \"\"");
    assert!(result.is_ok());
    assert!(
        diagnostics.findings().iter().any(|finding| finding.severity == Severity::Warning && finding.message.contains("host is empty"))
    );
    assert!(
        super::Bench::new("host \"\"").write(&super::chunk("t", &[(0, "{}")])).is_err_and(|error| matches!(error, WriteError::Retry(_)))
    );
}

#[test]
fn servers_that_are_none() {
    for params in ["hosts ftp://x", "hosts a:b:c", "port 70000", "hosts https://joe:secret@ho st/", "cloud_id x:y\ncloud_auth a:b"] {
        let message = error(params);
        assert!(!message.contains("secret"), "{message}");
    }
}
