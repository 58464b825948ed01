//! The requests of a rehearsal: a path, a body, headers.

use super::answer::{Rules, rehearse};
use crate::input::{Feed, Raw};
use crate::net::http_server::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use crate::plugin::Emitter;

/// Takes requests by the rules of an input.
pub struct Requests(pub Rules);

impl Feed for Requests {
    fn take(&mut self, raw: &Raw<'_>, emitter: &Emitter) -> Result<(), String> {
        let path = raw.path.ok_or("which tag? A request has 'path', such as /app.web")?;
        let uri = path.parse().map_err(|error| format!("path {path:?}: {error}, expected the path of a URL such as /app.web"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in raw.headers {
            let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is no name of a header"))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|_| format!("{value:?} is no value of a header"))?);
        }
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        let request = Request { method: Method::POST, uri, headers, keep_alive: true, body: Ok(raw.text.to_vec().into()) };
        let response = rehearse(&self.0, emitter, &request, raw.from.unwrap_or("127.0.0.1"));
        match response.status.as_u16() {
            200..300 => Ok(()),
            status => Err(format!("the request is answered with {status}: {}", String::from_utf8_lossy(&response.body).trim())),
        }
    }
}
