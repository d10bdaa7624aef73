//! What a plain scalar means in YAML 1.1, the version CrewAI's reader follows.

/// The type a plain scalar turns into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::definition) enum Resolved {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// A date, with or without a time.
    Date,
    Text,
}

/// The type of a plain scalar, and whether only YAML 1.1 sees it that way (`no`, `010`, `1:30`, `1_000`, dates).
pub(in crate::definition) fn resolve(text: &str) -> (Resolved, bool) {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return (Resolved::Null, false),
        "true" | "True" | "TRUE" => return (Resolved::Bool(true), false),
        "false" | "False" | "FALSE" => return (Resolved::Bool(false), false),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return (Resolved::Bool(true), true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return (Resolved::Bool(false), true),
        _ => {}
    }
    // Numbers and dates are short and begin with a digit, a sign or a point.
    if text.len() > 64 || !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return (Resolved::Text, false);
    }
    if let Some(found) = integer(text) {
        return found;
    }
    if let Some(found) = float(text) {
        return found;
    }
    if is_date(text) { (Resolved::Date, true) } else { (Resolved::Text, false) }
}

fn unsigned(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<(Resolved, bool)> {
    let (negative, body) = unsigned(text);
    let underscores = body.contains('_');
    let (magnitude, old) = if let Some(digits) = body.strip_prefix("0b") {
        (radix(digits, 2)?, true)
    } else if let Some(digits) = body.strip_prefix("0x") {
        (radix(digits, 16)?, underscores)
    } else if body == "0" {
        (Magnitude::Exact(0), false)
    } else if let Some(digits) = body.strip_prefix('0') {
        (radix(digits, 8)?, true)
    } else if body.contains(':') {
        (sexagesimal(body)?, true)
    } else if body.starts_with(|first: char| first.is_ascii_digit()) {
        (radix(body, 10)?, underscores)
    } else {
        return None;
    };
    let value = match magnitude {
        Magnitude::Exact(number) => Resolved::Int(if negative { -number } else { number }),
        Magnitude::Huge(number) => Resolved::Float(if negative { -number } else { number }),
    };
    Some((value, old))
}

/// Python's integers have no end; ours turn into floats far beyond what JSON readers keep exact anyway.
enum Magnitude {
    Exact(i128),
    Huge(f64),
}

fn radix(digits: &str, base: u32) -> Option<Magnitude> {
    let mut exact: Option<i128> = Some(0);
    let mut rough = 0.0_f64;
    let mut seen = false;
    for character in digits.chars().filter(|character| *character != '_') {
        let digit = character.to_digit(base)?;
        seen = true;
        exact = exact.and_then(|sum| sum.checked_mul(i128::from(base))?.checked_add(i128::from(digit)));
        rough = rough * f64::from(base) + f64::from(digit);
    }
    seen.then(|| exact.map_or(Magnitude::Huge(rough), Magnitude::Exact))
}

/// `12:30:00` is twelve hours and a half in seconds.
fn sexagesimal(body: &str) -> Option<Magnitude> {
    let mut parts = body.split(':');
    let head = parts.next()?;
    if !head.starts_with(|first: char| ('1'..='9').contains(&first)) {
        return None;
    }
    let Magnitude::Exact(mut total) = radix(head, 10)? else { return None };
    for part in parts {
        total = total.checked_mul(60)?.checked_add(i128::from(sixtieth(part)?))?;
    }
    Some(Magnitude::Exact(total))
}

fn sixtieth(part: &str) -> Option<u8> {
    let short = matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|value| short && *value < 60)
}

fn float(text: &str) -> Option<(Resolved, bool)> {
    let (negative, body) = unsigned(text);
    let signed = |value: f64| Resolved::Float(if negative { -value } else { value });
    match body {
        ".inf" | ".Inf" | ".INF" => return Some((signed(f64::INFINITY), false)),
        ".nan" | ".NaN" | ".NAN" if body == text => return Some((Resolved::Float(f64::NAN), false)),
        _ => {}
    }
    // YAML 1.1 wants a point; `1e3` is text there.
    let (whole, fraction) = body.split_once('.')?;
    let allowed = |part: &str| part.chars().all(|character| character.is_ascii_digit() || character == '_');
    if whole.contains(':') {
        let Magnitude::Exact(total) = sexagesimal(whole).or_else(|| zero_hours(whole))? else { return None };
        let rest: f64 = format!("0.{}", fraction.replace('_', "")).parse().ok().filter(|_| allowed(fraction))?;
        #[expect(clippy::cast_precision_loss, reason = "sixtieths with a fraction are approximate by nature")]
        return Some((signed(total as f64 + rest), true));
    }
    let (digits, exponent) = match fraction.find(['e', 'E']) {
        Some(at) => fraction.split_at_checked(at)?,
        None => (fraction, ""),
    };
    let exponent_fits = exponent.is_empty() || exponent.get(1..).is_some_and(is_signed_number);
    let begins = whole.starts_with(|first: char| first.is_ascii_digit())
        || (whole.is_empty() && digits.starts_with(|first: char| first.is_ascii_digit()));
    if !(begins && exponent_fits && allowed(whole) && allowed(digits)) {
        return None;
    }
    let value: f64 = body.replace('_', "").parse().ok()?;
    Some((signed(value), body.contains('_')))
}

fn zero_hours(whole: &str) -> Option<Magnitude> {
    let seconds = whole.split(':').try_fold(0_i128, |sum, part| Some(sum * 60 + i128::from(sixtieth(part)?)))?;
    Some(Magnitude::Exact(seconds))
}

fn is_signed_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2024-01-01`, or a longer form with a time after it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let day_length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let time = rest.get(day_length..).unwrap_or("");
    let has_time = time
        .strip_prefix(['T', 't', ' ', '\t'])
        .is_some_and(|clock| clock.trim_start().starts_with(|first: char| first.is_ascii_digit()) && clock.contains(':'));
    digits(year)
        && year.len() == 4
        && digits(month)
        && if time.is_empty() {
            month.len() == 2 && day_length == 2
        } else {
            matches!(month.len(), 1 | 2) && matches!(day_length, 1 | 2) && has_time
        }
}
