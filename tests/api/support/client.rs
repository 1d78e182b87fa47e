//! A client of the API.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A user's client, or an anonymous one.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What a GraphQL request was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:8080`.
    pub fn new(url: &str, token: Option<String>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: reqwest::Client::new(), url: url.to_owned(), token }
    }

    /// The same user at another server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A GET of `path`.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.signed(self.http.get(format!("{}{path}", self.url)))
    }

    /// A POST to `path`.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.signed(self.http.post(format!("{}{path}", self.url)))
    }

    /// Runs a GraphQL operation.
    pub async fn run(&self, query: &str, variables: Value) -> Answer {
        self.try_run(query, variables).await.expect("the server answers")
    }

    /// Runs a GraphQL operation on a server that may be gone.
    pub async fn try_run(&self, query: &str, variables: Value) -> reqwest::Result<Answer> {
        let body = json!({ "query": query, "variables": variables });
        let response = self.post("/graphql").json(&body).send().await?;
        Ok(Answer { status: response.status(), body: response.json().await? })
    }

    /// Runs a GraphQL operation that must succeed, and returns its data.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        self.run(query, variables).await.data()
    }

    /// Runs a GraphQL operation that must fail, and returns the code of its first error.
    pub async fn code(&self, query: &str, variables: Value) -> String {
        self.run(query, variables).await.code()
    }

    /// Sends a message with `input` beside its content, and returns the payload.
    pub async fn send(&self, content: &str, input: Value) -> Value {
        self.try_send(content, input).await.data()["sendMessage"].take()
    }

    /// As [`Self::send`], for what may fail.
    pub async fn try_send(&self, content: &str, mut input: Value) -> Answer {
        input["content"] = content.into();
        self.run(SEND, json!({ "input": input })).await
    }

    /// Starts a conversation with a message, and returns its id.
    pub async fn start(&self, content: &str) -> String {
        self.send(content, json!({})).await["conversation"]["id"].as_str().unwrap().to_owned()
    }

    /// All messages of a conversation, page by page, oldest first.
    pub async fn messages(&self, conversation: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut after = Value::Null;
        loop {
            let variables = json!({ "id": conversation, "after": after });
            let page = self.data(MESSAGES, variables).await["messages"].take();
            messages.extend(page["nodes"].as_array().unwrap().iter().cloned());
            if page["pageInfo"]["hasNextPage"] == false {
                return messages;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }
}

impl Answer {
    /// The data; there must be no errors.
    #[track_caller]
    pub fn data(mut self) -> Value {
        assert_eq!(self.body.get("errors"), None, "no errors were expected");
        self.body["data"].take()
    }

    /// Whether there is no data but `null`s in place of what was refused.
    pub fn is_without_data(&self) -> bool {
        let data = &self.body["data"];
        data.is_null() || data.as_object().is_some_and(|fields| fields.values().all(Value::is_null))
    }

    /// The code of the first error; there must be one.
    #[track_caller]
    pub fn code(&self) -> String {
        let code = &self.body["errors"][0]["extensions"]["code"];
        code.as_str().unwrap_or_else(|| panic!("an error was expected: {}", self.body)).to_owned()
    }
}

const SEND: &str = "
mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    conversation { id title messageCount }
    message { id role status content position parent { id } }
    reply { id role status content position parent { id } failure { code message retryable } }
  }
}";

const MESSAGES: &str = "
query Messages($id: ID!, $after: String) {
  messages(conversationId: $id, first: 100, after: $after) {
    nodes { id role status content position parent { id } }
    pageInfo { hasNextPage endCursor }
  }
}";

/// `text` with each UUID replaced by its number in order of appearance.
pub fn without_ids(text: &str) -> String {
    let mut ids: Vec<&str> = Vec::new();
    let mut result = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(id) = rest.get(..36).filter(|id| uuid::Uuid::try_parse(id).is_ok()) {
            let number = ids.iter().position(|known| *known == id).unwrap_or_else(|| {
                ids.push(id);
                ids.len() - 1
            });
            result.extend(["«id ", &number.to_string(), "»"]);
            rest = &rest[36..];
        } else {
            result.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    result
}
