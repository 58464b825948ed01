//! The `monitor_agent` input: what the process is doing, for those who watch it from outside, by HTTP and as events.
//!
//! `/api/plugins.json`, `/api/plugins`, `/api/config.json` and `/api/config` answer as Fluentd's do; `/metrics` is for Prometheus, `/healthz`
//! and `/readyz` for whatever starts and stops containers. Nothing can be changed here.

mod health;
mod node;
mod plugins;
mod prometheus;

use super::Input;
use crate::config::{Element, FromLiteral, Refused, Seconds};
use crate::event::{Batch, Event, EventTime, Scope, Scratch, Tag};
use crate::log::PluginLog;
use crate::metrics::Overview;
use crate::net::http_server::{Bounds, HeaderValue, Request, Response, StatusCode, header, serve};
use crate::net::query::Query;
use crate::net::{Listener, Loops, SocketOptions};
use crate::plugin::{BoxFuture, Context, Emitter, Stop};
use bumpalo::collections::Vec as BumpVec;
use node::Node;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// A watcher that says nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Nobody has a reason to send a body.
const MAX_BODY_BYTES: usize = 4096;
/// How long the end of the process waits for answers under way.
const STOP_WAIT: Duration = Duration::from_secs(1);
const JSON: HeaderValue = HeaderValue::from_static("application/json");

crate::section! {
    /// Shows what the process is doing, by HTTP and as events.
    pub struct Params {
        /// The address to listen on.
        pub bind: String = "0.0.0.0",
        /// The port to listen to; a logical worker adds its number.
        pub port: u16 = "24220",
        /// The tag of the events that say what each plugin has done; none are made without it.
        pub tag: Option<String>,
        /// How often they are made.
        pub emit_interval: Seconds = "60",
        /// Whether answers have the configuration of each plugin, secrets masked, where the request does not say.
        pub include_config: bool = "true",
        /// Whether answers have the state of retries where the request does not say.
        pub include_retry: bool = "true",
        /// Whether `debug=1` shows the parameters of each plugin with their values, secrets masked.
        pub include_debug_info: bool = "true",
    }
}

/// The input, bound or not.
struct MonitorAgent {
    params: Params,
    overview: Arc<Overview>,
    log: PluginLog,
    bound: Option<Listener>,
}

/// Makes the input.
pub fn build(element: &Element, context: &Context<'_>) -> Result<Box<dyn Input>, Refused> {
    let mut params = Params::read(element, context.diagnostics)?;
    let span = |name: &str| element.param(name).map_or(element.span, |param| param.value_span);
    let shifted = u16::try_from(context.host.worker()).ok().and_then(|worker| params.port.checked_add(worker));
    params.port = shifted.ok_or_else(|| context.refuse("FLM0662", span("port"), "port and number of the worker are beyond 65535"))?;
    if params.emit_interval.duration().is_zero() {
        let message = format!("emit_interval must be greater than 0, got {}", params.emit_interval.0);
        return Err(context.refuse("FLM0661", span("emit_interval"), message));
    }
    Ok(Box::new(MonitorAgent { params, overview: context.host.overview(), log: context.log.clone(), bound: None }))
}

impl Input for MonitorAgent {
    fn bind(&mut self) -> anyhow::Result<()> {
        let Params { bind, port, .. } = &self.params;
        let listener = Listener::tcp(bind, *port, SocketOptions::default())?;
        let port = listener.port().unwrap_or(*port);
        self.log.enter(|| crate::debug!("listening monitoring http server on http://{bind}:{port}/api/plugins"));
        self.bound = Some(listener);
        Ok(())
    }

    fn run(mut self: Box<Self>, emitter: Emitter, loops: Arc<Loops>, stop: Stop) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(async move {
            if self.bound.is_none() {
                self.bind()?;
            }
            let Some(listener) = self.bound.take() else { return Ok(()) };
            let this = Arc::new(*self);
            let events = Arc::clone(&this).emit_events(emitter, stop.clone());
            let mut stopped = stop.clone();
            let served = listener.serve(loops, async move { stopped.wait().await }, STOP_WAIT, move |stream, _| {
                let (this, mut stop) = (Arc::clone(&this), stop.clone());
                let bounds = Bounds { silence: SILENCE, body_bytes: MAX_BODY_BYTES };
                async move {
                    serve(stream, bounds, async move { stop.wait().await }, |request| std::future::ready(this.answer(&request))).await;
                }
            });
            let (served, ()) = tokio::join!(served, events);
            served
        })
    }
}

impl MonitorAgent {
    fn answer(&self, request: &Request) -> Response {
        let path = request.uri.path();
        let known = ["/api/plugins", "/api/plugins.json", "/api/config", "/api/config.json", "/metrics", "/healthz", "/readyz"];
        if !known.contains(&path) {
            return json(StatusCode::NOT_FOUND, r#"{"message":"Not found"}"#.to_owned());
        }
        // Fluentd: another method is answered with 500, "Something went wrong".
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            let response = json(StatusCode::METHOD_NOT_ALLOWED, r#"{"message":"Method not allowed"}"#.to_owned());
            return response.with(header::ALLOW, HeaderValue::from_static("GET, HEAD")).closing();
        }
        let query = Query::parse(request.uri.query().unwrap_or_default());
        let is_pretty = query.first("debug").is_some();
        match path {
            "/api/plugins.json" => {
                let plugins = Node::Map(vec![("plugins".to_owned(), Node::List(self.plugins(&query)))]);
                json(StatusCode::OK, plugins.to_json(is_pretty))
            }
            "/api/config.json" => json(StatusCode::OK, plugins::process(&self.overview).to_json(is_pretty)),
            "/api/plugins" => Response::new(StatusCode::OK, node::ltsv(&self.plugins(&query))),
            "/api/config" => Response::new(StatusCode::OK, node::ltsv(&[plugins::process(&self.overview)])),
            "/metrics" => Response::new(StatusCode::OK, prometheus::render(&self.overview))
                .with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8")),
            "/healthz" => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
            _ => match health::readiness(&self.overview) {
                reasons if reasons.is_empty() => json(StatusCode::OK, r#"{"status":"ready"}"#.to_owned()),
                reasons => {
                    let parts = vec![("status".to_owned(), Node::text("not ready")), ("reasons".to_owned(), Node::List(reasons))];
                    json(StatusCode::SERVICE_UNAVAILABLE, Node::Map(parts).to_json(is_pretty))
                }
            },
        }
    }

    /// The plugins that a request asks for, as it asks for them.
    fn plugins(&self, query: &Query) -> Vec<Node> {
        let asked = |name: &str, otherwise: bool| match query.first(name) {
            // Fluentd: what is no word for true or false is false.
            Some(text) => bool::from_literal(text, false).unwrap_or(false),
            None => otherwise,
        };
        let show = plugins::Show {
            config: asked("with_config", self.params.include_config),
            retry: asked("with_retry", self.params.include_retry),
            variables: match (query.first("debug"), query.first("with_ivars")) {
                (Some(_), _) if self.params.include_debug_info => plugins::Variables::All,
                (None, Some(names)) => plugins::Variables::Some(names.split(',').map(str::to_owned).collect()),
                _ => plugins::Variables::None,
            },
        };
        plugins::found(&self.overview, query).iter().map(|plugin| plugins::describe(plugin, &show)).collect()
    }

    /// Says every while what each plugin has done, as events.
    async fn emit_events(self: Arc<Self>, emitter: Emitter, mut stop: Stop) {
        let Some(tag) = self.params.tag.as_deref().map(Tag::new) else { return };
        let interval = self.params.emit_interval.duration();
        let mut ticks = interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.wait() => return,
                _ = ticks.tick() => {}
            }
            let permit = tokio::select! {
                () = stop.wait() => return,
                permit = emitter.reserve(&tag) => permit,
            };
            let scratch = Scratch::take();
            let scope = scratch.scope();
            // A failure has been logged; the next ones come all the same.
            let _ = permit.emit(&scope, &tag, self.batch(&scope));
        }
    }

    fn batch<'a>(&self, scope: &Scope<'a>) -> Batch<'a> {
        let show = plugins::Show { config: false, retry: false, variables: plugins::Variables::None };
        let now = EventTime::now();
        let mut events = BumpVec::new_in(scope.bump());
        for plugin in self.overview.plugins() {
            events.push(Event { time: now, record: plugins::describe(&plugin, &show).to_record(scope) });
        }
        Batch::decoded(events)
    }
}

fn json(status: StatusCode, body: String) -> Response {
    Response::new(status, body).with(header::CONTENT_TYPE, JSON)
}

#[cfg(test)]
mod tests;
