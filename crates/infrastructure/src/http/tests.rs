use super::*;

fn client(url: &str) -> HttpClient {
    HttpClient::new(url.parse().expect("an address"), HttpLimits::default())
}

#[tokio::test]
async fn a_client_is_built_on_its_first_use() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = client(&format!("http://{address}/"));
    assert!(!client.is_built());
    let deadline = Instant::now() + Duration::from_secs(20);
    let failure = client.post(HeaderMap::new(), String::new(), deadline, None).await.err();
    assert_eq!(failure, Some(HttpFailure::Unreachable("connection refused".to_owned())));
    assert!(client.is_built());
}

#[tokio::test]
async fn clones_share_one_client() {
    let first = client("http://127.0.0.1:9/");
    let second = first.clone();
    assert!(first.client().is_ok());
    assert!(second.is_built());
}

#[test]
fn only_the_own_machine_is_local() {
    let local = |url: &str| is_local(&url.parse().expect("an address"));
    assert!(local("http://localhost:1/") && local("http://127.0.0.1/") && local("http://[::1]:1/"));
    assert!(!local("https://localhost/") && !local("http://10.0.0.1/") && !local("http://localhost.example.org/"));
}

#[test]
fn a_client_for_the_world_can_be_built() {
    assert!(client("https://example.org/").client().is_ok());
}
