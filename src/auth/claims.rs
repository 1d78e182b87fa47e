//! What the claims of a token must say.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use serde_json::{Map, Value};

use super::{
    rejection::Cause,
    required_claim::RequiredClaim,
    viewer::{UserId, Viewer},
};
use crate::options;

/// How far our clock and the issuer's may differ: a token counts this much longer, and from this much earlier.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// What the claims of a token must say, besides being current (`exp`, and `nbf` where present).
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[group(skip)]
pub struct ClaimRules {
    /// The claim `iss` must be exactly this. It is not checked unless given.
    #[arg(long = "auth-issuer", env = "CAUSERIE_AUTH_ISSUER", value_name = "TEXT")]
    pub issuer: Option<String>,
    /// The claim `aud` must be this, or a list that contains it. It is not checked unless given.
    #[arg(long = "auth-audience", env = "CAUSERIE_AUTH_AUDIENCE", value_name = "TEXT")]
    pub audience: Option<String>,
    /// The claim that holds the user's id, as a text or a whole number. Dots lead into nested objects, unless there is a
    /// claim of that very name: `user.id` is the claim `id` within the claim `user`.
    #[arg(
        long = "auth-user-claim",
        env = "CAUSERIE_AUTH_USER_CLAIM",
        value_name = "CLAIM",
        default_value = "sub"
    )]
    pub user_claim: String,
    /// A claim that every token must have, such as `token_use=access`. May be given several times, or as a list with
    /// commas; all must hold. A text, a boolean or a number must be exactly the value, and a list must contain it. Dots
    /// lead into nested objects, as in `--auth-user-claim`. None unless given.
    #[arg(
        long = "auth-required-claim",
        env = "CAUSERIE_AUTH_REQUIRED_CLAIM",
        value_name = "NAME=VALUE",
        value_delimiter = ','
    )]
    pub required: Vec<RequiredClaim>,
    /// The claim that holds the user's plan, a text that says which assistants the user may choose, and which quotas hold;
    /// see `--assistants`. Dots lead into nested objects, as in `--auth-user-claim`. Who has no such claim has the plan
    /// `default`, as all users have unless this is given.
    #[arg(long = "auth-plan-claim", env = "CAUSERIE_AUTH_PLAN_CLAIM", value_name = "CLAIM")]
    pub plan_claim: Option<String>,
}

impl Default for ClaimRules {
    fn default() -> Self {
        options::defaults()
    }
}

impl ClaimRules {
    /// Finds the viewer in the claims of a token whose signature is good.
    ///
    /// Time comes last: who is told "expired" could have come in before.
    pub(super) fn check(&self, claims: &Map<String, Value>, now: DateTime<Utc>) -> Result<Viewer, Cause> {
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Cause::Issuer);
        }
        if let Some(audience) = &self.audience
            && !claims.get("aud").is_some_and(|aud| names(aud, audience))
        {
            return Err(Cause::Audience);
        }
        if !self.required.iter().all(|claim| claim.holds(claims)) {
            return Err(Cause::RequiredClaim);
        }
        let user = find(claims, &self.user_claim).and_then(user_id).ok_or(Cause::User)?;
        let expires_at = claims.get("exp").and_then(instant).ok_or(Cause::Expiry)?;
        if let Some(not_before) = claims.get("nbf")
            && instant(not_before).is_none_or(|not_before| now + LEEWAY < not_before)
        {
            return Err(Cause::NotBefore);
        }
        if now - LEEWAY >= expires_at {
            return Err(Cause::Expired);
        }
        let viewer = Viewer::new(user, expires_at);
        let plan = self.plan_claim.as_deref().and_then(|claim| find(claims, claim)).and_then(Value::as_str);
        Ok(match plan.filter(|plan| !plan.is_empty()) {
            Some(plan) => viewer.with_plan(plan),
            None => viewer,
        })
    }
}

fn names(aud: &Value, audience: &str) -> bool {
    match aud {
        Value::String(aud) => aud == audience,
        Value::Array(list) => list.iter().any(|aud| aud.as_str() == Some(audience)),
        _ => false,
    }
}

/// The value at `path`. Names may have dots of their own (`https://issuer.example/claims`), so the longest name
/// that exists is followed first.
pub(super) fn find<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let nested = claims.get(&path[..dot])?.as_object()?;
        find(nested, &path[dot + 1..])
    })
}

fn user_id(value: &Value) -> Option<UserId> {
    match value {
        Value::String(id) => UserId::new(id).ok(),
        // Not fractions: 1 and 1.0 would be two users, or one.
        Value::Number(id) if id.is_i64() || id.is_u64() => UserId::new(&id.to_string()).ok(),
        _ => None,
    }
}

/// A `NumericDate`: seconds since 1970, possibly with a fraction. What no date can hold is taken as the nearest.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = value.as_f64()?.max(0.0);
    let since_epoch = Duration::try_from_secs_f64(seconds).ok();
    let since_epoch = since_epoch.and_then(|duration| i64::try_from(duration.as_millis()).ok());
    let instant = since_epoch
        .and_then(TimeDelta::try_milliseconds)
        .and_then(|delta| DateTime::UNIX_EPOCH.checked_add_signed(delta));
    Some(instant.unwrap_or(DateTime::<Utc>::MAX_UTC))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn check_with(rules: &ClaimRules, claims: &Value) -> Result<String, Cause> {
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        rules.check(claims.as_object().unwrap(), now).map(|viewer| viewer.id().to_owned())
    }

    fn check(claims: &Value) -> Result<String, Cause> {
        check_with(&ClaimRules::default(), claims)
    }

    #[test]
    fn expiry_is_required_and_has_leeway() {
        let with = |exp: Value| check(&json!({"sub": "u", "exp": exp}));
        let ok = Ok("u".to_owned());
        assert_eq!(check(&json!({"sub": "u"})), Err(Cause::Expiry));
        assert_eq!(with(json!(NOW + 900)), ok);
        assert_eq!(with(json!(NOW - 29)), ok);
        assert_eq!(with(json!(NOW - 30)), Err(Cause::Expired), "30 s late to the millisecond");
        assert_eq!(with(json!(1_799_999_970.002)), ok);
        assert_eq!(with(json!(1_799_999_969.998)), Err(Cause::Expired));
        assert_eq!(with(json!(1.8e9)), ok);
        assert_eq!(with(json!(0)), Err(Cause::Expired));
        assert_eq!(with(json!(-1)), Err(Cause::Expired));
        assert_eq!(with(json!(-1e300)), Err(Cause::Expired));
        assert_eq!(with(json!(1e300)), ok);
        assert_eq!(with(json!(u64::MAX)), ok);
        for no_number in [json!("1900000000"), json!(null), json!(true), json!([NOW + 900])] {
            assert_eq!(with(no_number.clone()), Err(Cause::Expiry), "{no_number}");
        }
    }

    #[test]
    fn the_expiry_is_handed_on() {
        let at = |exp: Value| {
            let claims = json!({"sub": "u", "exp": exp});
            ClaimRules::default()
                .check(claims.as_object().unwrap(), DateTime::UNIX_EPOCH)
                .unwrap()
                .expires_at()
        };
        assert_eq!(at(json!(NOW)).timestamp_millis(), NOW * 1000);
        assert_eq!(at(json!(1_800_000_000.25)).timestamp_millis(), NOW * 1000 + 250);
        assert_eq!(at(json!(1e300)), DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn not_before_has_leeway() {
        let with = |nbf: Value| check(&json!({"sub": "u", "exp": NOW + 900, "nbf": nbf}));
        assert_eq!(with(json!(NOW)), Ok("u".into()));
        assert_eq!(with(json!(NOW + 30)), Ok("u".into()));
        assert_eq!(with(json!(1_800_000_030.5)), Err(Cause::NotBefore));
        assert_eq!(with(json!(NOW + 31)), Err(Cause::NotBefore));
        assert_eq!(with(json!(1e300)), Err(Cause::NotBefore));
        assert_eq!(with(json!("0")), Err(Cause::NotBefore));
        assert_eq!(with(json!(null)), Err(Cause::NotBefore));
    }

    #[test]
    fn issuer_is_exact() {
        let rules = ClaimRules { issuer: Some("https://issuer.example".into()), ..ClaimRules::default() };
        let with = |iss: Value| check_with(&rules, &json!({"sub": "u", "exp": NOW, "iss": iss}));
        assert_eq!(with(json!("https://issuer.example")), Ok("u".into()));
        for bad in ["https://issuer.example/", "https://ISSUER.example", "", "https://issuer.example.evil"] {
            assert_eq!(with(json!(bad)), Err(Cause::Issuer), "{bad}");
        }
        assert_eq!(with(json!(["https://issuer.example"])), Err(Cause::Issuer));
        assert_eq!(check_with(&rules, &json!({"sub": "u", "exp": NOW})), Err(Cause::Issuer));
    }

    #[test]
    fn audience_is_one_or_one_of_several() {
        let rules = ClaimRules { audience: Some("chat".into()), ..ClaimRules::default() };
        let with = |aud: Value| check_with(&rules, &json!({"sub": "u", "exp": NOW, "aud": aud}));
        assert_eq!(with(json!("chat")), Ok("u".into()));
        assert_eq!(with(json!(["mail", "chat"])), Ok("u".into()));
        for bad in
            [json!("mail"), json!("chat "), json!([]), json!(["mail"]), json!([["chat"]]), json!({"chat": 1})]
        {
            assert_eq!(with(bad.clone()), Err(Cause::Audience), "{bad}");
        }
        assert_eq!(check_with(&rules, &json!({"sub": "u", "exp": NOW})), Err(Cause::Audience));
    }

    #[test]
    fn the_user_claim_may_be_nested() {
        let with = |name: &str, claims: Value| {
            let rules = ClaimRules { user_claim: name.into(), ..ClaimRules::default() };
            let mut claims = claims;
            claims["exp"] = json!(NOW);
            check_with(&rules, &claims)
        };
        assert_eq!(with("user.id", json!({"user": {"id": "nested"}})), Ok("nested".into()));
        assert_eq!(with("user.id", json!({"user.id": "flat", "user": {"id": "nested"}})), Ok("flat".into()));
        assert_eq!(with("a.b.c.d", json!({"a": {"b.c": {"d": "deep"}}})), Ok("deep".into()));
        let either = json!({"a": {"b.c": "short"}, "a.b": {"c": "long"}});
        assert_eq!(with("a.b.c", either), Ok("long".into()));
        let url = "https://issuer.example/claims.user_id";
        assert_eq!(with(url, json!({"https://issuer.example/claims": {"user_id": "u"}})), Ok("u".into()));
        assert_eq!(with("user.id", json!({"sub": "u", "user": "u"})), Err(Cause::User));
        assert_eq!(with("user.id", json!({"sub": "u"})), Err(Cause::User), "never another claim instead");
        assert_eq!(with("user..id", json!({"user": {"id": "u"}})), Err(Cause::User));
    }

    #[test]
    fn the_plan_is_a_text_that_a_claim_has() {
        let plan = |claim: Option<&str>, extra: Value| {
            let mut claims = json!({ "sub": "u", "exp": NOW });
            claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let rules = ClaimRules { plan_claim: claim.map(str::to_owned), ..ClaimRules::default() };
            let viewer = rules.check(claims.as_object().unwrap(), DateTime::UNIX_EPOCH).unwrap();
            viewer.plan().to_owned()
        };
        assert_eq!(plan(Some("plan"), json!({ "plan": "pro" })), "pro");
        assert_eq!(plan(Some("app.plan"), json!({ "app": { "plan": "pro" } })), "pro");
        assert_eq!(plan(None, json!({ "plan": "pro" })), "default");
        for none in [json!({}), json!({ "plan": "" }), json!({ "plan": null }), json!({ "plan": 7 })] {
            assert_eq!(plan(Some("plan"), none), "default");
        }
    }

    #[test]
    fn user_ids() {
        let with = |sub: Value| check(&json!({"sub": sub, "exp": NOW}));
        assert_eq!(with(json!("zoë 🦜")), Ok("zoë 🦜".into()));
        assert_eq!(with(json!(42)), Ok("42".into()));
        assert_eq!(with(json!(u64::MAX)), Ok(u64::MAX.to_string()));
        for bad in
            [json!(""), json!("a\u{0}"), json!("a".repeat(256)), json!(4.0), json!(null), json!({"id": "u"})]
        {
            assert_eq!(with(bad.clone()), Err(Cause::User), "{bad}");
        }
    }

    #[test]
    fn only_a_good_token_is_called_expired() {
        let rules = ClaimRules { issuer: Some("us".into()), ..ClaimRules::default() };
        let expired = |iss: &str, sub: &str| check_with(&rules, &json!({"sub": sub, "exp": 1, "iss": iss}));
        assert_eq!(expired("us", "u"), Err(Cause::Expired));
        assert_eq!(expired("them", "u"), Err(Cause::Issuer));
        assert_eq!(expired("us", ""), Err(Cause::User));
    }
}
