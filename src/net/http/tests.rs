//! Which connections are used again, by whom.

use super::*;
use crate::net::Loops;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that answers each request and counts connections; both end with the process.
fn serve() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                for _ in lines.map_while(Result::ok).filter(String::is_empty) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                }
            });
        }
    });
    (port, count)
}

#[test]
fn each_thread_uses_connections_of_its_own_again() {
    let (port, connections) = serve();
    let limits = Limits { connect: Duration::from_secs(10), silence: Duration::from_secs(10), answer_bytes: 100 };
    let client = Arc::new(Client::new(Endpoint { host: "127.0.0.1".to_owned(), port, tls: None, proxy: None }, limits));
    let loops = Loops::start(2).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    for number in [0, 1, 0, 1, 1, 0] {
        let (client, tell) = (Arc::clone(&client), tell.clone());
        loops.spawn_on(number, async move {
            let request = Request { method: Method::GET, path: "/".to_owned(), headers: HeaderMap::new(), body: Bytes::new() };
            tell.send(client.send(request).await.map(|answer| answer.body)).unwrap();
        });
        assert_eq!(told.recv_timeout(Duration::from_secs(20)).unwrap().unwrap(), "ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    assert_eq!(client.idle().len(), 2);
    client.close_idle();
    assert_eq!(client.idle().len(), 0);
}
