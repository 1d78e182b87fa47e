//! The pages for people: `/` and `/graphiql`.

use causerie::http::pages::{self, DevUser};
use reqwest::{
    Client, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST,
        IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    redirect,
};
use tokio::net::TcpListener;

/// The pages on a port of their own.
struct Site {
    url: String,
    client: Client,
}

impl Site {
    /// Signed in by itself with `token`, if there is one.
    async fn open(token: Option<&str>) -> Self {
        Self::with_sign_in(token, None).await
    }

    /// Also with a place where tokens are given, if there is one.
    async fn with_sign_in(token: Option<&str>, sign_in: Option<&str>) -> Self {
        let users: Vec<_> = token
            .map(|token| DevUser { id: "dev".to_owned(), token: token.to_owned() })
            .into_iter()
            .collect();
        let sign_in = sign_in.map(|url| url.parse().unwrap());
        let router = pages::router(&users, sign_in.as_ref());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { url, client }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .send()
            .await
            .unwrap()
    }

    async fn page(&self, path: &str, headers: &[(&str, &str)]) -> String {
        self.get(path, headers).await.text().await.unwrap()
    }
}

/// The addresses in a page's `href` and `src` attributes.
fn addresses(page: &str) -> Vec<&str> {
    let attributes = page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1));
    attributes.filter_map(|rest| rest.split('"').next()).collect()
}

fn header(response: &Response, name: impl reqwest::header::AsHeaderName) -> &str {
    response.headers().get(name).unwrap().to_str().unwrap()
}

#[cfg(not(graphiql_bundled))]
#[tokio::test]
async fn a_build_without_assets_says_how_to_get_them() {
    let response = Site::open(Some("a-token")).await.get("/graphiql", &[]).await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    let page = response.text().await.unwrap();
    assert!(page.contains("make web"));
    assert!(!page.contains("a-token"));
}

#[tokio::test]
#[cfg_attr(not(all(chat_bundled, graphiql_bundled)), ignore = "needs the pages: make web")]
async fn the_pages_load_from_the_server_alone() {
    let site = Site::open(None).await;
    for (path, assets) in [("/", "assets/"), ("/graphiql", "graphiql/assets/")] {
        let page = site.page(path, &[]).await;
        let addresses = addresses(&page);
        assert!(addresses.len() >= 3, "{page}");
        for address in addresses.into_iter().filter(|address| *address != "data:,") {
            assert!(address.starts_with(assets), "{address}");
            for (accepted, encoding) in
                [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")]
            {
                let response =
                    site.get(&format!("/{address}"), &[(ACCEPT_ENCODING.as_str(), accepted)]).await;
                assert_eq!(response.status(), StatusCode::OK, "{address}");
                assert_eq!(header(&response, CONTENT_ENCODING), encoding);
                assert_eq!(header(&response, VARY), "accept-encoding");
                assert!(header(&response, CACHE_CONTROL).contains("immutable"));
                assert_eq!(header(&response, X_CONTENT_TYPE_OPTIONS), "nosniff");
                let kind = header(&response, CONTENT_TYPE);
                let extension = address.rsplit('.').next().unwrap();
                let wanted = [("js", "text/javascript"), ("css", "text/css"), ("txt", "text/plain")];
                assert!(
                    wanted.iter().any(|(end, it)| *end == extension && kind.starts_with(it)),
                    "{address}: {kind}"
                );
                let tag = header(&response, ETAG).to_owned();
                let again = site.get(&format!("/{address}"), &[(IF_NONE_MATCH.as_str(), &tag)]).await;
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
                assert!(again.bytes().await.unwrap().is_empty());
            }
        }
        assert_eq!(site.get(&format!("/{assets}none.js"), &[]).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_pages_forbid_what_they_do_not_need() {
    for path in ["/", "/graphiql"] {
        forbids(&Site::open(None).await.get(path, &[]).await);
    }
}

/// Checks a page's policy.
fn forbids(response: &Response) {
    let policy = header(response, CONTENT_SECURITY_POLICY);
    // The page that stands in for one that was not built has no scripts.
    let scripts = policy.split(';').find(|rule| rule.trim().starts_with("script-src"));
    assert!(scripts.is_none_or(|scripts| scripts.trim() == "script-src 'self'"), "{policy}");
    assert!(policy.starts_with("default-src 'none'"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("http"));
    assert_eq!(header(response, REFERRER_POLICY), "no-referrer");
    assert_eq!(header(response, X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(header(response, X_FRAME_OPTIONS), "DENY");
}

#[tokio::test]
#[cfg_attr(not(chat_bundled), ignore = "needs the chat page: make web")]
async fn where_tokens_are_given_is_the_only_page_that_the_chat_may_frame() {
    let site = Site::with_sign_in(None, Some("https://app.example:8443/sign-in?a=b")).await;
    let response = site.get("/", &[]).await;
    let policy = header(&response, CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(
        policy.ends_with("; frame-src 'self' https://app.example:8443; frame-ancestors 'self'"),
        "{policy}"
    );
    assert_eq!(policy.matches("http").count(), 1, "{policy}");
    assert_eq!(header(&response, X_FRAME_OPTIONS), "SAMEORIGIN");
    forbids(&site.get("/graphiql", &[]).await);
}

#[tokio::test]
async fn graphiql_is_found_with_a_slash_too() {
    let response = Site::open(None).await.get("/graphiql/", &[]).await;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(header(&response, LOCATION), "../graphiql");
}

#[tokio::test]
#[cfg_attr(not(graphiql_bundled), ignore = "needs the GraphiQL page: make web")]
async fn ready_tokens_are_given_to_page_views_on_this_machine_alone() {
    let site = Site::open(Some("a-token")).await;
    for path in if cfg!(chat_bundled) { &["/", "/graphiql"][..] } else { &["/graphiql"] } {
        gives_tokens_to_this_machine_alone(&site, path).await;
    }
    assert!(Site::open(None).await.page("/graphiql", &[]).await.contains(r#"{"token":null}"#));
}

async fn gives_tokens_to_this_machine_alone(site: &Site, path: &str) {
    let own: [&[(&str, &str)]; 6] = [
        &[],
        &[("sec-fetch-mode", "navigate")],
        &[(HOST.as_str(), "localhost:8080")],
        &[(HOST.as_str(), "LOCALHOST")],
        &[(HOST.as_str(), "127.0.0.1")],
        &[(HOST.as_str(), "[::1]:8080")],
    ];
    for headers in own {
        let response = site.get(path, headers).await;
        assert_eq!(header(&response, CACHE_CONTROL), "no-store");
        assert!(response.text().await.unwrap().contains("a-token"), "{headers:?}");
    }
    let foreign: [&[(&str, &str)]; 6] = [
        &[(HOST.as_str(), "rebound.example:8080")],
        &[(HOST.as_str(), "localhost.example")],
        &[(HOST.as_str(), "127.0.0.1.example")],
        &[(HOST.as_str(), "192.0.2.1:8080")],
        &[("sec-fetch-mode", "cors")],
        &[("sec-fetch-mode", "no-cors")],
    ];
    for headers in foreign {
        assert!(!site.page(path, headers).await.contains("a-token"), "{headers:?}");
    }
}

#[tokio::test]
#[cfg_attr(not(graphiql_bundled), ignore = "needs the GraphiQL page: make web")]
async fn a_token_cannot_end_the_script_element_that_holds_it() {
    let page = Site::open(Some("</script><script>alert(1)</script>")).await.page("/graphiql", &[]).await;
    assert!(page.contains(r"\u003c/script>\u003cscript>alert(1)\u003c/script>"), "{page}");
}

#[tokio::test]
#[cfg_attr(not(chat_bundled), ignore = "needs the chat page: make web")]
async fn the_chat_page_is_told_where_tokens_are_given() {
    let page = Site::with_sign_in(None, Some("https://app.example/sign-in")).await.page("/", &[]).await;
    assert!(page.contains(r#"{"signIn":"https://app.example/sign-in","users":[]}"#), "{page}");
}

#[test]
fn a_ready_token_is_not_printed() {
    let user = DevUser { id: "dev".to_owned(), token: "a-token".to_owned() };
    assert!(!format!("{user:?}").contains("a-token"));
}

#[cfg(not(chat_bundled))]
#[tokio::test]
async fn a_build_without_the_chat_page_says_so_and_leads_to_graphiql() {
    let response = Site::open(None).await.get("/", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(header(&response, CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    let page = response.text().await.unwrap();
    assert!(page.contains("POST /graphql"));
    assert!(page.contains("make web"));
    assert!(addresses(&page).contains(&"graphiql"));
    assert!(addresses(&page).iter().all(|address| !address.contains("//")));
}
