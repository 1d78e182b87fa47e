//! The fields of an assistant.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::Assistant;
use super::price::Price;
use crate::assistant::Range;
use crate::error::Error;
use crate::graphql::shared::ContextExt;

/// An assistant, which writes replies.
#[Object]
impl Assistant {
    /// The assistant's id: 1 to 64 of the characters `a` to `z`, `0` to `9` and `-`. The operator has chosen it.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// The name for users.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the operator says about it.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it writes the replies for which no other one is chosen.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn is_default(&self, context: &Context<'_>) -> Result<bool, Error> {
        Ok(context.chat()?.is_default_assistant(&self.0))
    }

    /// How many tokens of a conversation it is shown at most, by estimate: the newest messages.
    async fn context_tokens(&self) -> u32 {
        self.0.context_tokens
    }

    /// What `temperature` may be set to. It is `null` if it cannot be set.
    async fn temperature(&self) -> Option<FloatRange> {
        self.0.settable.temperature.map(FloatRange::from)
    }

    /// What `topP` may be set to. It is `null` if it cannot be set.
    async fn top_p(&self) -> Option<FloatRange> {
        self.0.settable.top_p.map(FloatRange::from)
    }

    /// What `maxTokens` may be set to. It is `null` if it cannot be set.
    async fn max_tokens(&self) -> Option<IntRange> {
        self.0.settable.max_tokens.map(IntRange::from)
    }

    /// What `reasoningEffort` may be set to. It is empty if it cannot be set.
    async fn reasoning_efforts(&self) -> &[String] {
        &self.0.settable.reasoning_efforts
    }

    /// What tokens cost. It is `null` if the operator has given no price, or the provider reports what each reply costs.
    #[expect(clippy::unused_async, reason = "the macro wants it")]
    async fn price(&self, context: &Context<'_>) -> Result<Option<Price>, Error> {
        let rates = self.0.price.as_ref().and_then(|price| price.rates());
        let Some(rates) = rates else { return Ok(None) };
        Ok(Some(Price::of(rates, context.chat()?.currency())))
    }
}

/// From where to where a number may be set.
#[derive(SimpleObject)]
pub(super) struct FloatRange {
    /// The lowest value.
    minimum: f64,
    /// The highest value.
    maximum: f64,
    /// What is sent unless it is set. It is `null` if the model then decides.
    default: Option<f64>,
}

/// From where to where a whole number may be set.
#[derive(SimpleObject)]
pub(super) struct IntRange {
    /// The lowest value.
    minimum: i32,
    /// The highest value.
    maximum: i32,
    /// What is sent unless it is set. It is `null` if the model then decides.
    default: Option<i32>,
}

impl From<Range<f64>> for FloatRange {
    fn from(Range { minimum, maximum, default }: Range<f64>) -> Self {
        Self { minimum, maximum, default }
    }
}

impl From<Range<i32>> for IntRange {
    fn from(Range { minimum, maximum, default }: Range<i32>) -> Self {
        Self { minimum, maximum, default }
    }
}
