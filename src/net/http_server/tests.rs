//! Bytes in, bytes out, over a pipe.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const BOUNDS: Bounds = Bounds { silence: Duration::from_secs(5), body_bytes: 100 };

/// Answers with what it was asked.
async fn echo(request: Request) -> Response {
    let Request { method, uri, headers, body, .. } = request;
    match body {
        Ok(body) => {
            let text = format!("{method} {uri} {} {}", headers.len(), String::from_utf8_lossy(&body));
            Response::new(StatusCode::OK, text)
        }
        Err(fault) => {
            let mut response = Response::new(StatusCode::PAYLOAD_TOO_LARGE, format!("{fault:?}")).closing();
            response.reason = Some("Request Entity Too Large");
            response
        }
    }
}

/// What comes back for these bytes until the connection ends.
fn exchange(sent: &[u8]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (mut ours, theirs) = duplex(1 << 20);
        ours.write_all(sent).await.unwrap();
        let mut back = Vec::new();
        tokio::join!(serve(theirs, BOUNDS, std::future::pending(), echo), async {
            let _ = ours.read_to_end(&mut back).await;
        });
        String::from_utf8(back).unwrap()
    })
}

#[test]
fn requests_of_one_connection_are_answered_in_turn_until_it_is_silent() {
    let back = exchange(b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET /d HTTP/1.1\r\n\r\n");
    let wanted = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\nPOST /a?b=c 2 hi\
                  HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nGET /d 0 ";
    assert_eq!(back, wanted);
}

#[test]
fn a_body_is_bounded_whether_it_is_announced_or_comes_in_pieces() {
    let large = "x".repeat(101);
    let announced = exchange(format!("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n{large}").as_bytes());
    assert!(announced.starts_with("HTTP/1.1 413 Request Entity Too Large\r\n"), "{announced}");
    assert!(announced.contains("\r\nConnection: close\r\n") && announced.ends_with("\r\n\r\nTooLarge"), "{announced}");
    let pieces = exchange(format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n{large}\r\n0\r\n\r\n").as_bytes());
    assert!(pieces.starts_with("HTTP/1.1 413"), "{pieces}");
    let fits = exchange(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    assert!(fits.ends_with("POST / 1 abc"), "{fits}");
}

#[test]
fn leave_to_send_is_given_unless_too_much_is_announced() {
    let small = exchange(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    assert!(small.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{small}");
    let large = exchange(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
}

#[test]
fn what_is_no_request_and_endless_heads_end_the_connection() {
    assert!(exchange(b"\x16\x03\x01\x02 no\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let mut endless = b"GET / HTTP/1.1\r\nX: ".to_vec();
    endless.resize(MAX_HEAD_BYTES * 2, b'a');
    assert!(exchange(&endless).starts_with("HTTP/1.1 431 "));
    // Half a request and then silence.
    assert_eq!(exchange(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhal"), "");
}

#[test]
fn the_end_waits_for_the_request_in_hand() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (mut ours, theirs) = duplex(1 << 16);
        ours.write_all(b"GET /slow HTTP/1.1\r\n\r\n").await.unwrap();
        let slow = |_: Request| async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Response::new(StatusCode::NO_CONTENT, "")
        };
        let mut back = String::new();
        let stopped = tokio::time::sleep(Duration::from_secs(1));
        tokio::join!(serve(theirs, BOUNDS, stopped, slow), async {
            ours.read_to_string(&mut back).await.unwrap();
        });
        assert!(back.starts_with("HTTP/1.1 204 No Content\r\n"), "{back}");
    });
}
