use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crewd_application::ports::{SigningError, WebhookSigner};

use super::{Rejection, StandardWebhooks, verify};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;

fn sign(secrets: &[&str]) -> Result<String, SigningError> {
    let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
    StandardWebhooks.sign(&secrets, ID, TIME, BODY)
}

fn secret_of(bytes: usize) -> String {
    format!("whsec_{}", STANDARD.encode(vec![7_u8; bytes]))
}

#[test]
fn signatures_are_those_of_the_published_library() {
    assert_eq!(sign(&[SECRET]).as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    for secret in [SECRET.to_owned(), StandardWebhooks.new_secret(), secret_of(24), secret_of(64)] {
        let published = standardwebhooks::Webhook::new(&secret).expect("a secret");
        let expected = published.sign(ID, TIME, BODY).expect("a signature");
        assert_eq!(StandardWebhooks.sign(&[secret], ID, TIME, BODY), Ok(expected));
    }
}

#[test]
fn rotating_secrets_sign_one_after_the_other_and_each_is_accepted() {
    let fresh = StandardWebhooks.new_secret();
    let both = sign(&[&fresh, SECRET]).expect("signatures");
    assert_eq!(both, format!("{} {}", sign(&[&fresh]).expect("one"), sign(&[SECRET]).expect("the other")));
    for secret in [fresh.as_str(), SECRET] {
        assert_eq!(verify(secret, (ID, &TIME.to_string(), &both), BODY, TIME), Ok(()));
    }
}

#[test]
fn secrets_of_another_form_sign_nothing() {
    for secret in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whpk_AAAA", &secret_of(23), &secret_of(65)] {
        assert_eq!(sign(&[SECRET, secret]), Err(SigningError::InvalidSecret), "{secret}");
        assert_eq!(verify(secret, (ID, "1", "v1,x"), BODY, 1), Err(Rejection::Secret), "{secret}");
    }
    assert_eq!(sign(&[]), Err(SigningError::NoSecret));
}

#[test]
fn ids_that_could_be_read_in_two_ways_are_not_signed() {
    for id in ["", "a.b", "."] {
        let signed = StandardWebhooks.sign(&[SECRET.to_owned()], id, TIME, BODY);
        assert_eq!(signed, Err(SigningError::InvalidId), "{id}");
    }
}

#[test]
fn fresh_secrets_differ_and_have_32_bytes() {
    let fresh: BTreeSet<String> = (0..100).map(|_| StandardWebhooks.new_secret()).collect();
    assert_eq!(fresh.len(), 100);
    for secret in fresh {
        let encoded = secret.strip_prefix("whsec_").expect("the prefix");
        assert_eq!(STANDARD.decode(encoded).map(|bytes| bytes.len()), Ok(32));
    }
}

#[test]
fn a_receiver_rejects_what_was_changed_replayed_or_signed_by_others() {
    let signature = sign(&[SECRET]).expect("a signature");
    let time = TIME.to_string();
    let check = |id: &str, time: &str, signature: &str, body: &[u8], now: i64| verify(SECRET, (id, time, signature), body, now);
    for now in [TIME - 300, TIME, TIME + 300] {
        assert_eq!(check(ID, &time, &signature, BODY, now), Ok(()));
    }
    for now in [TIME - 301, TIME + 301, i64::MIN, i64::MAX] {
        assert_eq!(check(ID, &time, &signature, BODY, now), Err(Rejection::Timestamp));
    }
    assert_eq!(check(ID, "soon", &signature, BODY, TIME), Err(Rejection::Timestamp));
    assert_eq!(check(ID, &time, &signature, b"{}", TIME), Err(Rejection::Signature));
    assert_eq!(check("msg_other", &time, &signature, BODY, TIME), Err(Rejection::Signature));
    assert_eq!(check(ID, &(TIME + 1).to_string(), &signature, BODY, TIME), Err(Rejection::Signature));
    let others = sign(&[&StandardWebhooks.new_secret()]).expect("a signature");
    let versioned = signature.replace("v1,", "v1a,");
    for wrong in ["", "v1", "v1,", "v1,AAAA", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", &others, &versioned] {
        assert_eq!(check(ID, &time, wrong, BODY, TIME), Err(Rejection::Signature), "{wrong}");
    }
    assert_eq!(check(ID, &time, &format!("v1,AAAA v1a,BBBB {signature}"), BODY, TIME), Ok(()), "unknown ones are passed over");
}
