//! How a secret or an address is shown.

/// What stands in place of a secret.
pub(crate) const MASK: &str = "********";

/// An address without its password and without the values of query parameters that look like secrets.
pub(crate) fn address(url: &str) -> String {
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url, None),
    };
    let mut shown = mask_password(base);
    if let Some(query) = query {
        let parameters: Vec<String> = query.split('&').map(mask_parameter).collect();
        shown.push('?');
        shown.push_str(&parameters.join("&"));
    }
    shown
}

fn mask_password(base: &str) -> String {
    let Some((scheme, rest)) = base.split_once("://") else {
        return base.to_owned();
    };
    // A password may hold `/` or `@` unescaped by mistake: the last `@` is the safe place to cut.
    let Some((credentials, host)) = rest.rsplit_once('@') else {
        return base.to_owned();
    };
    match credentials.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}@{host}"),
        None => format!("{scheme}://{credentials}@{host}"),
    }
}

fn mask_parameter(parameter: &str) -> String {
    let Some((name, _)) = parameter.split_once('=') else {
        return parameter.to_owned();
    };
    let lower = name.to_ascii_lowercase();
    let is_secret = ["pass", "pwd", "secret", "token", "key"].iter().any(|word| lower.contains(word));
    if is_secret { format!("{name}={MASK}") } else { parameter.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_masked() {
        for (url, shown) in [
            ("mysql://root:p@ss/word@db:3306/crewd", "mysql://root:********@db:3306/crewd"),
            ("postgres://app@db/crewd", "postgres://app@db/crewd"),
            ("postgres://db/crewd?user=a&password=b", "postgres://db/crewd?user=a&password=********"),
            ("sqlite://./data/crewd.db?mode=rwc", "sqlite://./data/crewd.db?mode=rwc"),
            ("no address", "no address"),
        ] {
            assert_eq!(address(url), shown);
        }
    }
}
