//! Pieces of an answer on their way into the log.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{LanguageModel, ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelStream};
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_domain::runs::{CancelMode, EventKind, RunStatus};
use futures::{StreamExt, stream};
use tokio::time::Instant;

use crate::testing::{Lab, caller, data, response, small_crew};

/// Says pieces, each after a pause.
struct PacedModel {
    pieces: Vec<(u64, String)>,
}

impl LanguageModel for PacedModel {
    fn default_model(&self) -> &str {
        "paced"
    }

    fn is_simulated(&self) -> bool {
        false
    }

    fn models(&self) -> Vec<String> {
        vec!["paced".into()]
    }

    fn call(&self, _: ModelRequest) -> ModelStream {
        let response = response(&self.pieces.iter().map(|(_, text)| text.as_str()).collect::<String>());
        let pieces = stream::iter(self.pieces.clone()).then(|(pause, text)| async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            Ok(ModelDelta::Text(text))
        });
        pieces.chain(stream::iter([Ok(ModelDelta::Finished(Box::new(response)))])).boxed()
    }
}

async fn deltas(pieces: Vec<(u64, String)>) -> Vec<(u128, String)> {
    let mut lab = Lab::new(&ScriptedModel::new([]));
    lab.model = Arc::new(PacedModel { pieces });
    let id = lab.submit(small_crew()).await;
    let (_, mut feed) = lab.tasks().follow(&caller(), id, 0, Vec::new()).await.unwrap();
    let running = lab.start();
    let mut heard = Vec::new();
    let mut start = Instant::now();
    while let Some(event) = feed.next().await.unwrap() {
        if event.kind == EventKind::LlmStarted {
            start = Instant::now();
        }
        if event.kind == EventKind::LlmDelta {
            heard.push((start.elapsed().as_millis(), data(&event)["text"].as_str().unwrap().to_owned()));
        }
    }
    running.stop().await;
    heard
}

#[tokio::test(start_paused = true)]
async fn a_steady_stream_costs_a_row_every_forty_milliseconds() {
    let pieces: Vec<_> = (0..100).map(|index| (10, format!("{index} "))).collect();
    let whole: String = pieces.iter().map(|(_, text)| text.as_str()).collect();
    let heard = deltas(pieces).await;
    assert_eq!(heard.iter().map(|(_, text)| text.as_str()).collect::<String>(), whole, "nothing is lost");
    assert!((24..=27).contains(&heard.len()), "one second: {}", heard.len());
    assert_eq!(heard[0], (15, "0 ".into()), "the first piece waits a moment for company");
    let gaps: Vec<u128> = heard.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap <= 41), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_stream_is_told_piece_by_piece_at_once() {
    let pieces = (0..4).map(|index| (200, format!("{index}"))).collect();
    let times: Vec<u128> = deltas(pieces).await.into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [205, 400, 600, 800], "only the first piece waits");
}

#[tokio::test(start_paused = true)]
async fn much_text_is_written_before_its_time() {
    let heard = deltas(vec![(10, "x".repeat(3_000)), (1, "y".repeat(10)), (500, "z".into())]).await;
    assert_eq!(heard[0].0, 10, "two kilobytes do not wait");
    assert_eq!(heard[1], (50, "y".repeat(10)), "a small piece behind it does");
    assert_eq!(heard.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_pauses_is_told_and_limited_all_the_same() {
    // A thousand pieces that are ready at once come whole.
    let model = ScriptedModel::new([ScriptedTurn::text("word ".repeat(1_000))]);
    let lab = Lab::new(&model);
    let view = lab.complete(small_crew()).await;
    let log = lab.log(view.task.id).await;
    let deltas = log.iter().filter(|event| event.kind == EventKind::LlmDelta).count();
    assert_eq!(deltas, 3, "5,000 bytes in pieces of two kilobytes");
}

#[tokio::test(start_paused = true)]
async fn an_immediate_cancel_keeps_what_was_said() {
    let model = ScriptedModel::new([ScriptedTurn::hang("half an ans")]);
    let lab = Lab::new(&model);
    let id = lab.submit(small_crew()).await;
    let running = lab.start();
    tokio::time::sleep(Duration::from_millis(2)).await;
    lab.tasks().cancel(&caller(), id, CancelMode::Immediate, Some("enough".into())).await.unwrap();
    let view = lab.end_of(id).await;
    running.stop().await;
    assert_eq!(view.run.status, RunStatus::Cancelled);
    assert_eq!(view.run.output.unwrap()["raw"], "half an ans");
    let log = lab.log(id).await;
    let said: String =
        log.iter().filter(|e| e.kind == EventKind::LlmDelta).map(|e| data(e)["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said, "half an ans", "also what had not been written yet");
    assert_eq!(model.abandoned(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_cut_off_and_then_went_well_leaves_nothing_behind() {
    let too_long = ModelError::new(ModelErrorKind::ContextLength, "too long");
    let model = ScriptedModel::new([ScriptedTurn::text_then_error("Half an", too_long), ScriptedTurn::text("Whole.")]);
    let lab = Lab::new(&model);
    let view = lab.complete(small_crew()).await;
    assert_eq!(view.run.output.unwrap()["raw"], "Whole.");
}
