//! The pages for people: `/` and `/graphiql`.

use axum::Router;
use causerie::http::{
    graphiql::{self, Page},
    home,
};
use reqwest::{
    Client, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH,
        LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
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
    async fn open(token: Option<&str>) -> Self {
        let pages = graphiql::router(Page { token: token.map(ToOwned::to_owned) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().merge(home::router()).merge(pages);
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

    async fn page(&self, headers: &[(&str, &str)]) -> String {
        self.get("/graphiql", headers).await.text().await.unwrap()
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
#[cfg_attr(not(graphiql_bundled), ignore = "needs the GraphiQL page: make web")]
async fn graphiql_loads_from_the_server_alone() {
    let site = Site::open(None).await;
    let page = site.page(&[]).await;
    let addresses = addresses(&page);
    assert!(addresses.len() >= 3, "{page}");
    for address in addresses.into_iter().filter(|address| *address != "data:,") {
        assert!(address.starts_with("graphiql/assets/"), "{address}");
        let response = site.get(&format!("/{address}"), &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        assert_eq!(header(&response, CONTENT_ENCODING), "gzip");
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
    assert_eq!(site.get("/graphiql/assets/none.js", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn graphiql_forbids_what_it_does_not_need() {
    let response = Site::open(None).await.get("/graphiql", &[]).await;
    let policy = header(&response, CONTENT_SECURITY_POLICY);
    let scripts = policy.split(';').find(|rule| rule.trim().starts_with("script-src")).unwrap();
    assert_eq!(scripts.trim(), "script-src 'self'");
    assert!(policy.starts_with("default-src 'none'"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("http"));
    assert_eq!(header(&response, REFERRER_POLICY), "no-referrer");
    assert_eq!(header(&response, X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(header(&response, X_FRAME_OPTIONS), "DENY");
}

#[tokio::test]
async fn graphiql_is_found_with_a_slash_too() {
    let response = Site::open(None).await.get("/graphiql/", &[]).await;
    assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(header(&response, LOCATION), "../graphiql");
}

#[tokio::test]
#[cfg_attr(not(graphiql_bundled), ignore = "needs the GraphiQL page: make web")]
async fn a_ready_token_is_given_to_page_views_on_this_machine_alone() {
    let site = Site::open(Some("a-token")).await;
    let own: [&[(&str, &str)]; 6] = [
        &[],
        &[("sec-fetch-mode", "navigate")],
        &[(HOST.as_str(), "localhost:8080")],
        &[(HOST.as_str(), "LOCALHOST")],
        &[(HOST.as_str(), "127.0.0.1")],
        &[(HOST.as_str(), "[::1]:8080")],
    ];
    for headers in own {
        let response = site.get("/graphiql", headers).await;
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
        assert!(site.page(headers).await.contains(r#"{"token":null}"#), "{headers:?}");
    }
    assert!(Site::open(None).await.page(&[]).await.contains(r#"{"token":null}"#));
}

#[tokio::test]
#[cfg_attr(not(graphiql_bundled), ignore = "needs the GraphiQL page: make web")]
async fn a_token_cannot_end_the_script_element_that_holds_it() {
    let page = Site::open(Some("</script><script>alert(1)</script>")).await.page(&[]).await;
    assert!(page.contains(r"\u003c/script>\u003cscript>alert(1)\u003c/script>"), "{page}");
}

#[test]
fn a_ready_token_is_not_printed() {
    let page = Page { token: Some("a-token".to_owned()) };
    assert!(!format!("{page:?}").contains("a-token"));
}

#[tokio::test]
async fn the_first_page_leads_to_graphiql() {
    let response = Site::open(None).await.get("/", &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(header(&response, CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    let page = response.text().await.unwrap();
    assert!(page.contains("POST /graphql"));
    assert!(addresses(&page).contains(&"graphiql"));
    assert!(addresses(&page).iter().all(|address| !address.contains("//")));
}
