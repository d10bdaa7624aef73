//! The answer out of an HTTP response.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{ModelDelta, ModelError, ModelResponse};
use reqwest::header::CONTENT_TYPE;

use super::answer::{Answer, Lack, Step};
use super::faults::Faults;
use super::sse::{SseDecoder, SseEvent};
use crate::http::{HttpFailure, HttpResponse};

/// How long to wait for usage and the end once the reason to stop has come.
const AFTER_FINISH: Duration = Duration::from_secs(5);
/// Bytes of an error body that are read.
const ERROR_BODY: usize = 64 * 1024;

/// What the provider answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Events,
    Whole,
    /// The head does not say; the first bytes will.
    Unknown,
}

/// One call whose head has been answered.
pub(super) struct Exchange {
    response: HttpResponse,
    faults: Arc<Faults>,
    shape: Shape,
    decoder: SseDecoder,
    answer: Answer,
    /// The model that was asked, for answers that do not name theirs.
    model: String,
    /// Estimated tokens of the request, for answers that do not count.
    input_tokens: u64,
}

/// What the caller knows about its request.
pub(super) struct Asked {
    pub(super) streams: bool,
    pub(super) model: String,
    pub(super) input_tokens: u64,
}

impl Exchange {
    /// Looks at the head of an answer; one that is not a success is read and becomes an error.
    pub(super) async fn open(mut response: HttpResponse, asked: Asked, faults: Arc<Faults>) -> Result<Self, ModelError> {
        let status = response.status();
        if !status.is_success() {
            let body = response.beginning(ERROR_BODY).await;
            return Err(faults.status(status, response.headers(), &body));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let shape = if kind.contains("event-stream") {
            Shape::Events
        } else if kind.contains("json") {
            Shape::Whole
        } else if kind.contains("html") {
            return Err(faults.malformed("a web page; is the base URL right?"));
        } else {
            Shape::Unknown
        };
        let Asked { streams, model, input_tokens } = asked;
        let answer = Answer::new(streams);
        Ok(Self { response, faults, shape, decoder: SseDecoder::default(), answer, model, input_tokens })
    }

    /// Reads on and returns the whole answer once it is there. Pieces are taken with [`Self::take_ready`], also
    /// after an error.
    pub(super) async fn advance(&mut self) -> Result<Option<Box<ModelResponse>>, ModelError> {
        if self.shape == Shape::Whole {
            return match self.response.rest().await {
                Ok(body) => self.whole(&body),
                Err(failure) => self.broken(&failure),
            };
        }
        match self.response.chunk().await {
            Ok(Some(bytes)) if self.shape == Shape::Unknown => self.first(&bytes).await,
            Ok(Some(bytes)) => self.more(&bytes),
            Ok(None) => self.ended(),
            Err(failure) => self.broken(&failure),
        }
    }

    /// The pieces since the last time.
    pub(super) fn take_ready(&mut self) -> Vec<ModelDelta> {
        self.answer.take_ready()
    }

    /// Lets the connection serve the next call.
    pub(super) fn recycle(self) {
        self.response.recycle();
    }

    /// Tells from the first bytes what the head did not say.
    async fn first(&mut self, bytes: &[u8]) -> Result<Option<Box<ModelResponse>>, ModelError> {
        const FIELDS: [&[u8]; 4] = [b"data:", b"event:", b"id:", b":"];
        let start = bytes.trim_ascii_start();
        if FIELDS.iter().any(|field| start.starts_with(field)) {
            self.shape = Shape::Events;
            return self.more(bytes);
        }
        self.shape = Shape::Whole;
        match self.response.rest().await {
            Ok(rest) => self.whole(&[bytes, &rest].concat()),
            Err(failure) => self.broken(&failure),
        }
    }

    fn whole(&mut self, body: &[u8]) -> Result<Option<Box<ModelResponse>>, ModelError> {
        match self.answer.take_body(body) {
            Step::Failed => Err(self.faults.in_band(body)),
            Step::Garbled(what) => Err(self.faults.malformed(what)),
            Step::Taken | Step::Done => self.finish(true).map(Some),
        }
    }

    fn more(&mut self, bytes: &[u8]) -> Result<Option<Box<ModelResponse>>, ModelError> {
        let was_finished = self.answer.is_finished();
        self.decoder.push(bytes);
        while let Some(event) = self.decoder.next_event() {
            if self.take(&event)? {
                return self.finish(true).map(Some);
            }
        }
        if self.answer.is_finished() && !was_finished {
            self.response.shorten_idle(AFTER_FINISH);
        }
        Ok(None)
    }

    /// The body is over.
    fn ended(&mut self) -> Result<Option<Box<ModelResponse>>, ModelError> {
        let is_done = match self.decoder.finish() {
            Some(event) => self.take(&event)?,
            None => false,
        };
        self.finish(is_done).map(Some)
    }

    /// Takes in an event and says whether it is the end.
    fn take(&mut self, event: &SseEvent) -> Result<bool, ModelError> {
        if event.is_error {
            return Err(self.faults.in_band(&event.data));
        }
        match self.answer.take_event(&event.data) {
            Step::Taken => Ok(false),
            Step::Done => Ok(true),
            Step::Failed => Err(self.faults.in_band(&event.data)),
            Step::Garbled(what) => Err(self.faults.malformed(what)),
        }
    }

    /// A body that breaks off after the reason to stop lacks nothing but its end.
    fn broken(&mut self, failure: &HttpFailure) -> Result<Option<Box<ModelResponse>>, ModelError> {
        if self.answer.is_finished() {
            return self.finish(false).map(Some);
        }
        Err(self.faults.transport(failure, self.response.has_begun()))
    }

    fn finish(&mut self, is_done: bool) -> Result<Box<ModelResponse>, ModelError> {
        match self.answer.finish(is_done, &self.model, self.input_tokens) {
            Ok(response) => Ok(Box::new(response)),
            Err(Lack::Unfinished) => Err(self.faults.interrupted()),
            Err(Lack::Garbled(what)) => Err(self.faults.malformed(what)),
        }
    }
}
