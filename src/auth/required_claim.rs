//! A claim that tokens must have, with its value.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::claims::find;

/// A claim that tokens must have, with its value, as the operator writes it: `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredClaim {
    name: String,
    value: String,
}

impl FromStr for RequiredClaim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            // That a claim is there at all says little: an issuer may put it into all its tokens.
            _ => Err("it must be the claim's name and its value, as in token_use=access".to_owned()),
        }
    }
}

impl RequiredClaim {
    /// Whether `claims` have it.
    pub(super) fn holds(&self, claims: &Map<String, Value>) -> bool {
        match find(claims, &self.name) {
            Some(Value::Array(list)) => list.iter().any(|value| self.is(value)),
            Some(value) => self.is(value),
            None => false,
        }
    }

    /// Adds it to the claims of a token that is made here: as a boolean or a number if it can be one. Both that and the
    /// text are accepted again.
    pub(super) fn insert(&self, claims: &mut Map<String, Value>) {
        let value = serde_json::from_str(&self.value)
            .ok()
            .filter(|value: &Value| value.is_boolean() || value.as_number().is_some_and(|_| self.is(value)));
        claims.insert(self.name.clone(), value.unwrap_or_else(|| self.value.clone().into()));
    }

    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *text == self.value,
            Value::Bool(flag) => flag.to_string() == self.value,
            // `1` and `1.0` are one number. Whole numbers are compared exactly.
            Value::Number(number) => match serde_json::from_str::<Value>(&self.value) {
                Ok(Value::Number(wanted)) if number.is_f64() || wanted.is_f64() => {
                    number.as_f64() == wanted.as_f64()
                }
                Ok(wanted) => *value == wanted,
                Err(_) => false,
            },
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(rule: &str, claims: &Value) -> bool {
        rule.parse::<RequiredClaim>().unwrap().holds(claims.as_object().unwrap())
    }

    #[test]
    fn texts_booleans_and_numbers_are_compared() {
        for (rule, good) in [
            ("typ=access", json!("access")),
            ("typ=a=b", json!("a=b")),
            ("typ=true", json!(true)),
            ("typ=true", json!("true")),
            ("typ=false", json!(false)),
            ("typ=1", json!(1)),
            ("typ=1", json!(1.0)),
            ("typ=1.5", json!(1.5)),
            ("typ=18446744073709551615", json!(u64::MAX)),
            ("typ=1", json!("1")),
            ("typ=access", json!(["refresh", "access"])),
            ("typ=2", json!([1, 2])),
        ] {
            assert!(holds(rule, &json!({ "typ": good })), "{rule} {good}");
        }
        for (rule, bad) in [
            ("typ=access", json!("Access")),
            ("typ=access", json!("access ")),
            ("typ=access", json!("refresh access")),
            ("typ=access", json!(null)),
            ("typ=null", json!(null)),
            ("typ=access", json!({ "access": true })),
            ("typ=access", json!([["access"]])),
            ("typ=access", json!([])),
            ("typ=true", json!(1)),
            ("typ=1", json!(true)),
            ("typ=18446744073709551615", json!(u64::MAX - 1)),
        ] {
            assert!(!holds(rule, &json!({ "typ": bad })), "{rule} {bad}");
        }
        assert!(!holds("typ=access", &json!({ "type": "access" })));
    }

    #[test]
    fn dots_lead_into_objects() {
        let claims = json!({ "use": { "kind": "access" }, "https://issuer.example/use": "chat" });
        assert!(holds("use.kind=access", &claims));
        assert!(holds("https://issuer.example/use=chat", &claims));
        assert!(!holds("kind=access", &claims));
    }

    #[test]
    fn a_name_alone_is_refused() {
        for bad in ["", "typ", "typ=", "=access", "="] {
            assert!(bad.parse::<RequiredClaim>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_made_here_holds() {
        for text in ["a.b=access", "n=1", "n=1.50", "n=1e400", "f=false", "n=null", "n=[1]", "q=\"x\""] {
            let rule: RequiredClaim = text.parse().unwrap();
            let mut claims = Map::new();
            rule.insert(&mut claims);
            assert!(rule.holds(&claims), "{text}: {claims:?}");
        }
    }
}
