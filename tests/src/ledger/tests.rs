//! The ledger itself.

use super::{Answer, Ledger};
use crate::client::Client;
use crate::fake_llm::Gate;
use crate::runtime::{SOON, eventually, run};

async fn send(ledger: &Ledger, method: &str, path: &str, key: &str) -> Option<(u16, String)> {
    let request = Client::new(&ledger.url("")).request(method, path).header("idempotency-key", key).body("{\"a\":1}");
    let response = request.send().await.ok()?;
    Some((response.status().as_u16(), response.text().await.expect("a body")))
}

#[test]
fn every_request_is_an_effect_but_for_keys_that_were_seen() {
    run(async {
        let ledger = Ledger::start().await;
        for path in ["/pay", "/keyed/pay"] {
            for _ in 0..2 {
                assert_eq!(send(&ledger, "POST", path, "k1").await, Some((200, "done".to_owned())));
            }
        }
        send(&ledger, "GET", "/pay", "k1").await;
        assert_eq!((ledger.entries("/pay").len(), ledger.effects("/pay").len()), (3, 2));
        assert_eq!(ledger.effects_by_key("/pay")["k1"], 2);
        assert_eq!(ledger.effects("/keyed/").len(), 0, "the key had its effect at /pay");
        assert_eq!(send(&ledger, "POST", "/keyed/pay", "k2").await, Some((200, "done".to_owned())));
        assert_eq!(send(&ledger, "POST", "/keyed/pay", "k2").await, Some((200, "done".to_owned())));
        assert_eq!(ledger.effects_by_key("/keyed/")["k2"], 1);
        let entry = &ledger.entries("/pay")[0];
        assert_eq!((entry.method.as_str(), entry.json()["a"].as_i64(), entry.closed_early()), ("POST", Some(1), false));
    });
}

#[test]
fn answers_come_by_script_and_questions_by_key() {
    run(async {
        let ledger = Ledger::start().await;
        ledger.script("/pay").then(Answer::status(500, "no")).then(Answer::ok("lost").lost()).then(Answer::dropped());
        assert_eq!(send(&ledger, "POST", "/pay", "a").await, Some((500, "no".to_owned())));
        assert_eq!(send(&ledger, "POST", "/pay", "b").await, None);
        assert_eq!(send(&ledger, "POST", "/pay", "c").await, None);
        assert_eq!(send(&ledger, "POST", "/pay", "d").await, Some((200, "done".to_owned())));
        let happened: Vec<bool> = ledger.entries("/pay").iter().map(super::Entry::had_effect).collect();
        assert_eq!(happened, [false, true, false, true]);
        assert_eq!(send(&ledger, "GET", "/done/b", "").await, Some((200, "lost".to_owned())));
        assert_eq!(send(&ledger, "GET", "/done/a", "").await.map(|(status, _)| status), Some(404));
    });
}

#[test]
fn a_client_that_goes_is_noticed() {
    run(async {
        let ledger = Ledger::start().await;
        let gate = Gate::new();
        ledger.script("/pay").always(Answer::ok("late").hold_first(&gate));
        let call = Client::new(&ledger.url("")).request("POST", "/pay").send();
        let call = tokio::spawn(call);
        eventually("the request is there", SOON, async || (ledger.entries("/pay").len() == 1).then_some(())).await;
        call.abort();
        eventually("its end is noticed", SOON, async || ledger.entries("/pay")[0].closed_early().then_some(())).await;
        assert!(!ledger.entries("/pay")[0].had_effect());
    });
}
