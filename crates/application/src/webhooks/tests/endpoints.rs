use super::*;

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_sealed() {
    let desk = Desk::new();
    let made = desk.service.create(&ada(), hook(), None).await.unwrap();
    assert_eq!(made.secret, "whsec_1");
    let kept = desk.service.get(&ada(), made.endpoint.id).await.unwrap();
    assert_eq!(kept.secret, "sealed:webhook-secrets:default:whsec_1");
    assert_eq!((kept.timeout_seconds, kept.max_concurrent, kept.payload), (15, 10, Payload::Thin));
    assert_eq!(desk.service.list(&ada(), None, 10).await.unwrap().items, [kept]);
}

#[tokio::test]
async fn wrong_values_are_all_named() {
    let desk = Desk::new();
    let long = "x".repeat(501);
    let wrong = NewWebhook {
        url: "http://127.0.0.1/".into(),
        description: Some(long.clone()),
        timeout_seconds: Some(31),
        max_concurrent: Some(0),
        ..hook()
    };
    let error = desk.service.create(&ada(), wrong, None).await.unwrap_err();
    assert_eq!(pointers(&error), ["/url", "/description", "/timeout_seconds", "/max_concurrent"]);
    let id = desk.hook().await;
    let change = ChangeWebhook { url: Some("ftp://x".into()), timeout_seconds: Some(0), ..ChangeWebhook::default() };
    assert_eq!(pointers(&desk.service.change(&ada(), id, &change).await.unwrap_err()), ["/url", "/timeout_seconds"]);
    let long = NewWebhook { url: format!("https://a/{}", "x".repeat(2_048)), ..hook() };
    assert_eq!(pointers(&desk.service.create(&ada(), long, None).await.unwrap_err()), ["/url"]);
}

#[tokio::test]
async fn there_are_at_most_a_hundred() {
    let desk = Desk::new();
    for _ in 0..MAX_WEBHOOKS {
        desk.hook().await;
    }
    let error = desk.service.create(&ada(), hook(), None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::QuotaExceeded, Some("too_many_webhooks")));
    let page = desk.service.list(&ada(), None, 60).await.unwrap();
    let rest = desk.service.list(&ada(), page.next_before, 60).await.unwrap();
    assert_eq!((page.items.len(), rest.items.len(), rest.next_before), (60, 40, None));
}

#[tokio::test]
async fn the_same_request_makes_one_endpoint() {
    let desk = Desk::new();
    let key = |fingerprint: &str| Some(IdempotencyKey { key: "k".into(), fingerprint: fingerprint.into() });
    let first = desk.service.create(&ada(), hook(), key("a")).await.unwrap();
    let again = desk.service.create(&ada(), hook(), key("a")).await.unwrap();
    assert_eq!((again.replayed, again.endpoint.id, &again.secret), (true, first.endpoint.id, &first.secret));
    let error = desk.service.create(&ada(), hook(), key("b")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::IdempotencyKeyReused);
    assert_eq!(desk.service.list(&ada(), None, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn what_is_given_is_changed_and_nothing_else() {
    let desk = Desk::new();
    let id = desk.hook().await;
    let change = ChangeWebhook {
        description: Some(Some("ours".into())),
        events: Some(vec![WebhookEvent::TaskWaiting, WebhookEvent::TaskQueued, WebhookEvent::TaskQueued]),
        payload: Some(Payload::Full),
        disabled: Some(true),
        ..ChangeWebhook::default()
    };
    let changed = desk.service.change(&ada(), id, &change).await.unwrap();
    assert_eq!(changed.events, [WebhookEvent::TaskQueued, WebhookEvent::TaskWaiting]);
    assert_eq!((changed.url.as_str(), changed.description.as_deref()), (URL, Some("ours")));
    assert_eq!(changed.disabled.map(|(_, why)| why).as_deref(), Some("disabled by ada"));
    let change = ChangeWebhook { description: Some(None), disabled: Some(false), ..ChangeWebhook::default() };
    let changed = desk.service.change(&ada(), id, &change).await.unwrap();
    assert_eq!((changed.description, changed.disabled, changed.payload, changed.version), (None, None, Payload::Full, 3));
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let desk = Desk::new();
    let id = desk.hook().await;
    desk.done().await;
    desk.tick().await;
    let delivery = desk.deliveries(id).await.remove(0).id;
    let stranger = RequestContext { tenant: TenantId::try_from("other".to_owned()).unwrap(), ..ada() };
    let is_missing = |error: Error| assert_eq!(error.code, ErrorCode::NotFound);
    is_missing(desk.service.get(&stranger, id).await.unwrap_err());
    is_missing(desk.service.change(&stranger, id, &ChangeWebhook::default()).await.unwrap_err());
    is_missing(desk.service.rotate(&stranger, id).await.unwrap_err());
    is_missing(desk.service.delete(&stranger, id).await.unwrap_err());
    is_missing(desk.service.deliveries(&stranger, id, None, None, 10).await.unwrap_err());
    is_missing(desk.service.redeliver(&stranger, id, delivery).await.unwrap_err());
    assert!(desk.service.list(&stranger, None, 10).await.unwrap().items.is_empty());
    desk.service.delete(&ada(), id).await.unwrap();
    is_missing(desk.service.delete(&ada(), id).await.unwrap_err());
}

#[tokio::test]
async fn a_task_has_its_own_endpoint() {
    let desk = Desk::new();
    let (task, other) = (desk.sample.queued(Priority::Standard, 0), desk.sample.queued(Priority::Standard, 0));
    let wanted = TaskWebhook { url: URL.into(), events: vec![WebhookEvent::TaskQueued], secret: None };
    let (change, secret) = desk.service.prepare_for_task(&ada(), task.task.id, wanted.clone()).unwrap();
    assert_eq!(secret, "whsec_1");
    let mut unit = task.unit();
    unit.push(change);
    desk.store.commit(unit).await.unwrap();
    desk.store.commit(other.unit()).await.unwrap();
    assert_eq!(desk.tick().await, 1, "of its own task alone, of the very first event on");
    assert!(desk.service.list(&ada(), None, 10).await.unwrap().items.is_empty());
    let wrong = TaskWebhook { url: "https://".to_owned() + &"x".repeat(3_000), ..wanted };
    assert_eq!(pointers(&desk.service.prepare_for_task(&ada(), task.task.id, wrong).unwrap_err()), ["/webhook/url"]);
}
