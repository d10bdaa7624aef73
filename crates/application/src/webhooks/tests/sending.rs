use chrono::DateTime;

use super::*;
use crate::ports::{Outbound, OutboundResponse};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn a_delivery_is_signed_and_told_once() {
    let desk = Desk::new();
    let id = desk.hook().await;
    let submitted = desk.done().await;
    assert_eq!(desk.tick().await, 1);
    let requests = desk.requests();
    let request = &requests[0];
    let message = header(request, "webhook-id");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["crew"]), (&json!("task.succeeded"), &json!("research")));
    assert_eq!(body["data"]["task_id"], json!(submitted.task.id));
    let signature = format!("v1,whsec_1.{message}.1767225600.{}", request.body.len());
    assert_eq!((header(request, "webhook-signature"), header(request, "webhook-timestamp")), (signature.as_str(), "1767225600"));
    assert_eq!((header(request, "content-type"), request.time_limit), ("application/json", Duration::from_secs(15)));
    let delivery = desk.deliveries(id).await.remove(0);
    assert_eq!((delivery.status, delivery.response_status, delivery.attempts), (DeliveryStatus::Delivered, Some(204), 1));
    assert_eq!((desk.tick().await, desk.requests().len(), desk.counted()), (0, 1, vec!["delivered"]));
}

#[tokio::test]
async fn the_schedule_is_kept_to_its_end() {
    let desk = Desk::new();
    let id = desk.hook().await;
    desk.done().await;
    for _ in 0..10 {
        desk.outbound.answer_with(500, &[], "inner text");
    }
    let pauses = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (attempt, pause) in pauses.into_iter().enumerate() {
        if pause > 0 {
            desk.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
            assert_eq!(desk.tick().await, 0, "attempt {attempt} is not due yet");
            desk.clock.advance(Duration::from_secs(pause) / 10 + Duration::from_millis(1));
        }
        assert_eq!(desk.tick().await, 1, "attempt {attempt}");
    }
    desk.clock.advance(DAY * 2);
    assert_eq!(desk.tick().await, 0, "never again");
    let delivery = desk.deliveries(id).await.remove(0);
    assert_eq!((delivery.status, delivery.attempts, delivery.next_attempt_at), (DeliveryStatus::Failed, 10, None));
    assert_eq!(delivery.error.as_deref(), Some("the receiver answered 500"));
    let requests = desk.requests();
    assert!(requests.iter().all(|request| header(request, "webhook-id") == header(&requests[0], "webhook-id")));
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    let stamps: std::collections::BTreeSet<_> = requests.iter().map(|request| header(request, "webhook-timestamp")).collect();
    assert_eq!((stamps.len(), desk.counted().last()), (10, Some(&"given_up")));
}

#[tokio::test]
async fn the_receivers_wish_is_heeded() {
    for wish in ["600", "Thu, 01 Jan 2026 00:10:00 GMT"] {
        let desk = Desk::new();
        desk.hook().await;
        desk.done().await;
        desk.outbound.answer_with(429, &[("retry-after", wish)], "");
        desk.tick().await;
        desk.clock.advance(MINUTE * 10 - Duration::from_secs(1));
        assert_eq!(desk.tick().await, 0, "{wish}");
        desk.clock.advance(Duration::from_secs(1));
        assert_eq!((desk.tick().await, desk.counted()), (1, vec!["retried", "delivered"]), "{wish}");
    }
}

#[tokio::test]
async fn only_2xx_is_success() {
    for (status, error) in [
        (301, "the receiver answered 301; redirects are not followed"),
        (404, "the receiver answered 404"),
        (503, "the receiver answered 503"),
    ] {
        let desk = Desk::new();
        let id = desk.hook().await;
        desk.done().await;
        desk.outbound.answer_with(status, &[("location", "http://127.0.0.1/")], "");
        desk.tick().await;
        let delivery = desk.deliveries(id).await.remove(0);
        assert_eq!((delivery.status, delivery.error.as_deref()), (DeliveryStatus::Pending, Some(error)));
        assert_eq!(desk.requests().len(), 1);
    }
    let desk = Desk::new();
    let id = desk.hook().await;
    desk.done().await;
    desk.outbound.answer(Err(OutboundError::TooLarge { status: 200, limit: 1 }));
    desk.tick().await;
    assert_eq!(desk.deliveries(id).await[0].status, DeliveryStatus::Delivered, "what it says is nobody's business");
}

#[tokio::test]
async fn what_the_guard_refuses_is_a_failed_attempt() {
    let desk = Desk::new();
    let id = desk.hook().await;
    desk.done().await;
    desk.outbound.deny("hooks.example");
    desk.tick().await;
    let delivery = desk.deliveries(id).await.remove(0);
    assert_eq!((delivery.status, delivery.response_status), (DeliveryStatus::Pending, None));
    assert_eq!(delivery.error.as_deref(), Some("egress_denied: the address is not allowed"));
}

#[tokio::test]
async fn gone_is_gone() {
    let desk = Desk::new();
    let id = desk.hook().await;
    desk.done().await;
    desk.outbound.answer_with(410, &[], "");
    desk.tick().await;
    let endpoint = desk.service.get(&ada(), id).await.unwrap();
    assert_eq!(endpoint.disabled.map(|(_, why)| why).as_deref(), Some("the receiver answered 410 Gone"));
    desk.done().await;
    assert_eq!((desk.tick().await, desk.counted()), (0, vec!["disabled"]));
    let error = desk.service.redeliver(&ada(), id, desk.deliveries(id).await[0].id).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("webhook_disabled")));
}

#[tokio::test]
async fn five_days_of_failure_disable_an_endpoint() {
    let desk = Desk::new();
    let id = desk.hook().await;
    for _ in 0..3 {
        desk.outbound.answer_with(500, &[], "");
    }
    desk.done().await;
    desk.tick().await;
    desk.clock.advance(DAY * 5 - MINUTE);
    desk.tick().await;
    assert!(desk.service.get(&ada(), id).await.unwrap().disabled.is_none());
    desk.clock.advance(MINUTE * 10);
    desk.tick().await;
    let endpoint = desk.service.get(&ada(), id).await.unwrap();
    assert_eq!(endpoint.disabled.map(|(_, why)| why).as_deref(), Some("no delivery has arrived for five days"));
    let change = ChangeWebhook { disabled: Some(false), ..ChangeWebhook::default() };
    assert!(desk.service.change(&ada(), id, &change).await.unwrap().failing_since.is_none());
}

#[tokio::test]
async fn the_old_secret_signs_along_for_a_day() {
    let desk = Desk::new();
    let id = desk.hook().await;
    let rotated = desk.service.rotate(&ada(), id).await.unwrap();
    assert_eq!(rotated.secret, "whsec_2");
    desk.done().await;
    desk.tick().await;
    desk.clock.advance(DAY);
    desk.done().await;
    desk.tick().await;
    let secrets = |request: &OutboundRequest| {
        header(request, "webhook-signature").split(' ').map(|part| part[3..10].to_owned()).collect::<Vec<_>>()
    };
    let requests = desk.requests();
    assert_eq!(secrets(&requests[0]), ["whsec_2", "whsec_1"]);
    assert_eq!(secrets(&requests[1]), ["whsec_2"]);
}

#[tokio::test]
async fn deliveries_are_sent_again_by_hand() {
    let desk = Desk::new();
    let id = desk.hook().await;
    for _ in 0..10 {
        desk.outbound.answer_with(500, &[], "");
    }
    desk.done().await;
    for _ in 0..10 {
        desk.tick().await;
        desk.clock.advance(DAY / 2 * 3);
        // Failures that long would disable it.
        desk.service.change(&ada(), id, &ChangeWebhook { disabled: Some(false), ..ChangeWebhook::default() }).await.unwrap();
    }
    let failed = desk.deliveries(id).await.remove(0);
    assert_eq!((failed.status, failed.attempts), (DeliveryStatus::Failed, 10));
    assert_eq!(desk.service.redeliver_failed(&ada(), id, desk.clock.now()).await.unwrap(), 0, "it is older");
    assert_eq!(desk.service.redeliver_failed(&ada(), id, DateTime::UNIX_EPOCH).await.unwrap(), 1);
    assert_eq!((desk.tick().await, desk.deliveries(id).await[0].status), (1, DeliveryStatus::Delivered));
    desk.service.redeliver(&ada(), id, failed.id).await.unwrap();
    assert_eq!((desk.tick().await, desk.requests().len()), (1, 12));
    let missing = desk.service.redeliver(&ada(), id, uuid::Uuid::nil()).await.unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn what_was_not_reported_is_sent_again() {
    let desk = Desk::new();
    desk.hook().await;
    desk.done().await;
    desk.store.expand(10).await.unwrap();
    let taken = desk.store.claim(10, Duration::from_secs(60)).await.unwrap();
    assert_eq!((taken.len(), desk.tick().await), (1, 0), "somebody else has it");
    desk.clock.advance(MINUTE);
    assert_eq!((desk.tick().await, desk.requests().len()), (1, 1));
}

/// A receiver that never answers.
struct Hanging;

#[async_trait::async_trait]
impl Outbound for Hanging {
    fn check_url(&self, _: &str) -> Result<(), OutboundError> {
        Ok(())
    }

    async fn send(&self, _: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_broken_off_at_the_end_and_made_again() {
    let desk = Desk::new();
    let id = desk.hook().await;
    desk.done().await;
    let hanging = WebhookDispatcher::new(DispatcherParts {
        store: desk.store.clone(),
        queries: desk.store.clone(),
        outbound: Arc::new(Hanging),
        signer: Arc::new(ReadableSigner::default()),
        sealer: Arc::new(ReadableSealer),
        observer: desk.counted.clone(),
        clock: desk.clock.clone(),
    });
    assert_eq!(hanging.tick().await.unwrap(), 1);
    hanging.finish(Duration::from_secs(5)).await;
    assert_eq!((desk.deliveries(id).await[0].status, desk.counted().len()), (DeliveryStatus::Pending, 0));
    desk.clock.advance(MINUTE);
    assert_eq!((desk.tick().await, desk.counted()), (1, vec!["delivered"]));
    desk.dispatcher.woken().await;
}
