//! Messages between processes: said once, heard by whoever listens, and lost now and then.

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{ConnectionState, Nats, in_words};

/// Messages that may wait to be sent; those beyond are dropped.
const OUTBOX_MAX: usize = 4_096;

/// A question got no answer.
#[derive(Debug, thiserror::Error)]
#[error("{subject} in NATS at {servers} does not answer: {detail}")]
pub struct NoAnswer {
    subject: String,
    servers: String,
    detail: String,
}

/// Says and hears; clones share it. Nothing here waits but [`Bus::ask`].
#[derive(Clone, Debug)]
pub struct Bus {
    nats: Nats,
    outbox: mpsc::Sender<(String, Bytes)>,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Subscription(JoinHandle<()>);

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Bus {
    #[must_use]
    pub fn new(nats: &Nats) -> Self {
        let (outbox, mut waiting) = mpsc::channel::<(String, Bytes)>(OUTBOX_MAX);
        let client = nats.0.client.clone();
        nats.0.runtime.spawn(async move {
            while let Some((subject, payload)) = waiting.recv().await {
                if let Err(error) = client.publish(subject, payload).await {
                    log::warn!("a message was not sent: {}", in_words(&error));
                }
            }
        });
        Self { nats: nats.clone(), outbox }
    }

    /// Whether the server can be heard.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.nats.0.state.borrow() == ConnectionState::Up
    }

    /// Says something under a subject, given without the prefix; false if it was dropped because
    /// the server is not there or too much waits. What is said now is of no use later.
    pub fn publish(&self, subject: &str, payload: Bytes) -> bool {
        self.is_up() && self.outbox.try_send((self.subject(subject), payload)).is_ok()
    }

    /// Bytes that one message may have.
    #[must_use]
    pub fn message_bytes_max(&self) -> usize {
        self.nats.message_bytes_max()
    }

    /// Calls `hear` with all that is said under a subject. The server knows of it before it hears
    /// anything that is said or written over this connection afterwards.
    pub fn subscribe(
        &self,
        subject: &str,
        mut hear: impl FnMut(Bytes) + Send + 'static,
    ) -> Subscription {
        let (client, subject) = (self.nats.0.client.clone(), self.subject(subject));
        let subscribed = self.nats.wait(client.subscribe(subject));
        Subscription(self.nats.0.runtime.spawn(async move {
            match subscribed {
                Ok(mut messages) => {
                    while let Some(message) = messages.next().await {
                        hear(message.payload);
                    }
                }
                Err(error) => log::error!("a subscription failed: {}", in_words(&error)),
            }
        }))
    }

    /// Answers questions under a subject, of which each goes to one of those that have the same
    /// `group`. `answer` may take its time: the next one waits.
    pub fn serve(
        &self,
        subject: &str,
        group: &str,
        answer: impl Fn(Bytes) -> Bytes + Send + Sync + 'static,
    ) -> Subscription {
        let (client, subject) = (self.nats.0.client.clone(), self.subject(subject));
        let subscribed = self.nats.wait(client.queue_subscribe(subject, group.to_owned()));
        let answer = std::sync::Arc::new(answer);
        Subscription(self.nats.0.runtime.spawn(async move {
            let mut questions = match subscribed {
                Ok(questions) => questions,
                Err(error) => return log::error!("a subscription failed: {}", in_words(&error)),
            };
            while let Some(question) = questions.next().await {
                let Some(reply) = question.reply else { continue };
                let answer = answer.clone();
                let said = tokio::task::spawn_blocking(move || answer(question.payload)).await;
                let Ok(said) = said else { continue };
                if let Err(error) = client.publish(reply, said).await {
                    log::warn!("an answer was not sent: {}", in_words(&error));
                }
            }
        }))
    }

    /// Asks whoever serves a subject. Must not be called on a thread of the runtime.
    pub fn ask(&self, subject: &str, question: Bytes) -> Result<Bytes, NoAnswer> {
        let subject = self.subject(subject);
        let answer = self.nats.wait(self.nats.0.client.request(subject.clone(), question));
        answer.map(|message| message.payload).map_err(|error| NoAnswer {
            subject,
            servers: self.nats.0.servers.clone(),
            detail: in_words(&error),
        })
    }

    fn subject(&self, subject: &str) -> String {
        format!("{}.{subject}", self.nats.0.prefix)
    }
}
