//! Signals within one server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use super::channel::QUEUE_LENGTH;
use super::{Channel, Signals, Subscription, Topic};

/// The subscribers of each channel.
type Channels = HashMap<Channel, Vec<mpsc::Sender<Arc<str>>>>;

/// Wakes listeners in the same server. A signal costs nothing while nobody listens to its topic.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    topics: Arc<Mutex<HashMap<Topic, watch::Sender<()>>>>,
    channels: Arc<Mutex<Channels>>,
}

impl Hub {
    /// Wakes all listeners of all topics, as signals may have been lost.
    pub fn wake_all(&self) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.values().for_each(|sender| sender.send_replace(()));
    }

    /// Gives a text to the subscribers of `channel` in this server.
    pub(super) fn deliver(&self, channel: Channel, text: &str) {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(subscribers) = channels.get(&channel) else { return };
        let text: Arc<str> = text.into();
        for subscriber in subscribers {
            // Who is so late reads the database.
            let _ = subscriber.try_send(text.clone());
        }
    }

    /// Forgets the subscribers of `channel` that are gone.
    pub(super) fn forget_closed(&self, channel: Channel) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(subscribers) = channels.get_mut(&channel) {
            subscribers.retain(|subscriber| !subscriber.is_closed());
            if subscribers.is_empty() {
                channels.remove(&channel);
            }
        }
    }
}

impl Signals for Hub {
    fn send(&self, topic: Topic) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = topics.get(&topic) {
            sender.send_replace(());
        }
    }

    fn listen(&self, topic: Topic) -> Listener {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = topics.entry(topic).or_insert_with(|| watch::channel(()).0).subscribe();
        Listener { receiver, topic, hub: self.clone() }
    }

    fn publish(&self, channel: Channel, text: String) {
        self.deliver(channel, &text);
    }

    fn subscribe(&self, channel: Channel) -> Subscription {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(channel).or_default().push(sender);
        Subscription { receiver, channel, hub: self.clone() }
    }
}

/// Waits for signals of one topic.
#[derive(Debug)]
pub struct Listener {
    receiver: watch::Receiver<()>,
    topic: Topic,
    hub: Hub,
}

impl Listener {
    /// Waits for the next signal. Several that came since the last wait count as one.
    pub async fn woken(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut topics = self.hub.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if topics.get(&self.topic).is_some_and(|sender| sender.receiver_count() <= 1) {
            topics.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_signal_before_the_wait_is_not_lost_and_topics_are_apart() {
        let hub = Hub::default();
        let mut one = hub.listen(Topic::User(1));
        let mut two = hub.listen(Topic::User(2));
        hub.send(Topic::User(1));
        hub.send(Topic::User(1));
        one.woken().await;
        tokio::select! {
            biased;
            () = one.woken() => panic!("two signals before the wait count as one"),
            () = two.woken() => panic!("the other topic was not meant"),
            () = std::future::ready(()) => {}
        }
        hub.wake_all();
        two.woken().await;
    }

    #[tokio::test]
    async fn a_text_reaches_the_subscribers_of_its_channel_and_goes_with_the_last_one() {
        let hub = Hub::default();
        let [mut one, mut two] = [1, 1].map(|id| hub.subscribe(Channel::Words(Uuid::from_u128(id))));
        let mut other = hub.subscribe(Channel::Readers(Uuid::from_u128(1)));
        for text in ["a", "b"] {
            hub.publish(Channel::Words(Uuid::from_u128(1)), text.to_owned());
        }
        for subscriber in [&mut one, &mut two] {
            assert_eq!((&*subscriber.next().await, &*subscriber.next().await), ("a", "b"));
        }
        assert_eq!(other.try_next(), None);
        drop((one, other));
        assert_eq!(hub.channels.lock().unwrap().len(), 1);
        drop(two);
        assert!(hub.channels.lock().unwrap().is_empty());
    }

    #[test]
    fn topics_go_with_their_last_listener() {
        let hub = Hub::default();
        let (one, two) = (hub.listen(Topic::Claimable), hub.listen(Topic::Claimable));
        drop(one);
        assert_eq!(hub.topics.lock().unwrap().len(), 1);
        drop(two);
        assert!(hub.topics.lock().unwrap().is_empty());
    }
}
