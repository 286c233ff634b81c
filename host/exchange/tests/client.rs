//! Calls over real sockets to peers that behave, and to peers that do not.
#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gridbell_clock::Clock;
use gridbell_exchange::{
    CALL_LIMIT, CONNECT_LIMIT, Client, Handler, IDLE_LIMIT, Incoming, Origin, Reply, Trust, serve,
};
use gridbell_model::Moment;
use gridbell_platform::{CallError, Exchange, MAX_ANSWER, Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

fn request(body: &str) -> Request {
    Request {
        method: Method::Post,
        path: "/send?access_token=geheim".into(),
        headers: vec![("content-type", "application/json".into())],
        body: body.as_bytes().to_vec(),
    }
}

fn client(address: SocketAddr, clock: &Clock) -> Client {
    Client::new(Origin::read(&format!("http://{address}")).unwrap(), &Trust::default(), clock.clone()).unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn manual() -> Clock {
    Clock::manual(Moment::from_unix_ms(1_795_000_000_000))
}

/// Reads a request's head and body, which the tests keep short.
async fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    loop {
        let mut octets = [0; 4096];
        let read = stream.read(&mut octets).await.unwrap();
        heard.extend_from_slice(&octets[..read]);
        let text = String::from_utf8_lossy(&heard).into_owned();
        if read == 0 || text.ends_with("}") {
            return text;
        }
    }
}

/// A peer that answers each connection's first request with these octets.
async fn answering(octets: Vec<u8>) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            hear(&mut stream).await;
            // Whoever stops reading has closed the connection.
            let _ = stream.write_all(&octets).await;
        }
    });
    address
}

#[tokio::test]
async fn what_was_asked_goes_out_as_it_is_and_the_answer_comes_back() {
    let (listener, address) = listener().await;
    let peer = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = hear(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        let second = hear(&mut stream).await;
        stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        (first, second)
    });
    let client = client(address, &Clock::system());
    let answer = client.call(&request("{\"a\":1}")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"{}".as_slice()));
    let answer = client.call(&request("{\"b\":1}")).await.unwrap();
    assert_eq!(answer.status, 500);
    let (first, second) = peer.await.unwrap();
    assert!(first.starts_with("POST /send?access_token=geheim HTTP/1.1\r\n"), "{first}");
    assert!(first.contains(&format!("host: {address}\r\n")) && first.contains("content-length: 7\r\n"), "{first}");
    assert!(second.ends_with("{\"b\":1}"), "on the same connection: {second}");
}

#[tokio::test]
async fn a_redirection_is_an_answer_and_nonsense_is_uncertain() {
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let answer = client(answering(redirect).await, &Clock::system()).call(&request("{}")).await.unwrap();
    assert_eq!(answer.status, 302);

    let long = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_ANSWER + 1).into_bytes(),
        vec![b'x'; MAX_ANSWER + 1],
    ];
    let endless =
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), b"1000\r\n".to_vec(), vec![b'x'; 0x1000]];
    let head = [b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'x'; 64 * 1024]];
    for (what, octets) in [
        ("too long", long.concat()),
        ("a chunk that breaks off", endless.concat()),
        ("an endless head", head.concat()),
        ("no HTTP", b"220 smtp ready\r\n".to_vec()),
        ("nothing", Vec::new()),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        ("a length of 4 GB, and the end", b"HTTP/1.1 200 OK\r\ncontent-length: 4294967296\r\n\r\nx".to_vec()),
    ] {
        let error =
            client(answering(octets).await, &Clock::system()).call(&request("{\"secret\":1}")).await.unwrap_err();
        assert!(matches!(error, CallError::Uncertain { .. }), "{what}: {error:?}");
        let said = error.to_string();
        assert!(!said.contains("geheim") && !said.contains("secret"), "{what}: {said}");
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let (listener, address) = listener().await;
    drop(listener);
    let error = client(address, &Clock::system()).call(&request("{}")).await.unwrap_err();
    assert!(matches!(error, CallError::Unsent { .. }), "{error:?}");
    let name = Origin::read("http://no-such-host.invalid").unwrap();
    let client = Client::new(name, &Trust::default(), Clock::system()).unwrap();
    assert!(matches!(client.call(&request("{}")).await, Err(CallError::Unsent { .. })));
}

#[tokio::test]
async fn a_silent_platform_is_given_up_and_the_call_is_uncertain() {
    let (listener, address) = listener().await;
    let clock = manual();
    let heard = Arc::new(Notify::new());
    let tell = Arc::clone(&heard);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream).await;
        // Drips, and never ends.
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        tell.notify_one();
        std::future::pending::<()>().await;
    });
    let client = client(address, &clock);
    let call = tokio::spawn(async move { client.call(&request("{}")).await });
    heard.notified().await;
    clock.advance(CALL_LIMIT);
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error, CallError::Uncertain { why: "no answer within 10 s".into() });
}

#[tokio::test]
async fn a_connection_that_does_not_open_is_given_up_and_nothing_was_sent() {
    // A listener that never shakes hands over TLS.
    let (listener, address) = listener().await;
    let clock = manual();
    let origin = Origin::read(&format!("https://localhost:{}", address.port())).unwrap();
    let trust = Trust { extra_ca: Some(tls("cert.pem")) };
    let client = Client::new(origin, &trust, clock.clone()).unwrap();
    let call = tokio::spawn(async move { client.call(&request("{}")).await });
    let _held = listener.accept().await.unwrap();
    while clock.next_waiter().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(CONNECT_LIMIT);
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(&error, CallError::Unsent { why } if why.contains("within 3 s")), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_a_new_one_and_no_doubt() {
    let (listener, address) = listener().await;
    let clock = manual();
    let served = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&served);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            hear(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            // Closed without a word, as front ends do.
        }
    });
    let client = client(address, &clock);
    for _ in 0..20 {
        assert_eq!(client.call(&request("{}")).await.unwrap().status, 200);
        // The peer's end has time to arrive: as many turns as it takes on a loaded machine would be a race, so age does it.
        clock.advance(IDLE_LIMIT + CONNECT_LIMIT);
    }
    assert_eq!(served.load(Ordering::SeqCst), 20);
}

struct Echo;

impl Handler for Echo {
    async fn handle(&self, request: Incoming) -> Reply {
        match request.path.as_str() {
            "/break" => Reply::Break,
            "/redirect" => Reply::Redirect { to: "https://elsewhere.example/".into() },
            _ => Reply::json(&String::from_utf8(request.body).unwrap()),
        }
    }
}

#[tokio::test]
async fn the_small_server_answers_breaks_redirects_and_ends() {
    let (listener, address) = listener().await;
    let (clock, stop) = (Clock::system(), CancellationToken::new());
    let serving = tokio::spawn(serve(listener, Arc::new(Echo), clock.clone(), stop.clone()));
    let client = client(address, &clock);
    for n in 0..3 {
        let body = format!("{{\"n\":{n}}}");
        assert_eq!(client.call(&request(&body)).await.unwrap().body, body.as_bytes());
    }
    let at = |path: &str| Request { path: path.into(), ..request("{}") };
    assert!(matches!(client.call(&at("/break")).await, Err(CallError::Uncertain { .. })));
    assert_eq!(client.call(&at("/redirect")).await.unwrap().status, 302);
    let long = Request { body: vec![b' '; gridbell_exchange::MAX_BODY + 1], ..request("") };
    // Refused, or the connection broke while the rest was still being written.
    assert!(client.call(&long).await.map_or(true, |answer| answer.status == 413));
    stop.cancel();
    serving.await.unwrap();
    assert!(client.call(&request("{}")).await.is_err());
}

fn tls(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../server/tests/tls").join(name)
}

#[tokio::test]
async fn only_a_certificate_that_is_believed_is_spoken_to() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificates = CertificateDer::pem_file_iter(tls("cert.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(tls("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(certificates, key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut octets = [0; 1024];
            let _ = stream.read(&mut octets).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    });
    let call = async |host: &str, trust: &Trust| {
        let origin = Origin::read(&format!("https://{host}:{}", address.port())).unwrap();
        Client::new(origin, trust, Clock::system()).unwrap().call(&request("{}")).await
    };
    let believed = Trust { extra_ca: Some(tls("cert.pem")) };
    assert_eq!(call("localhost", &believed).await.unwrap().body, b"ok");
    // A stranger, to whom no octet of the request goes; with the right certificate under another name.
    for (host, trust) in
        [("localhost", &Trust { extra_ca: Some(tls("../../../../tests/tls/other.pem")) }), ("127.0.0.2", &believed)]
    {
        let error = call(host, trust).await.unwrap_err();
        assert!(matches!(error, CallError::Unsent { .. }), "{host}: {error:?}");
    }
    let nothing = Trust { extra_ca: Some(tls("key.pem")) };
    let origin = Origin::read("https://localhost").unwrap();
    let error = Client::new(origin, &nothing, Clock::system()).unwrap_err().to_string();
    assert!(error.contains("key.pem") && error.contains("BEGIN CERTIFICATE"), "{error}");
}
