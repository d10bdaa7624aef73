//! Which database a URL means.

use std::path::PathBuf;

use super::error::DatabaseError;

/// Where an SQLite database lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// In this process, until it is closed.
    Memory,
    /// In a file.
    File(PathBuf),
}

/// Reads a URL: `sqlite://<path>`, `sqlite:<path>`, `sqlite::memory:`, and the forms of Python drivers
/// (`sqlite+aiosqlite:///<relative path>`, four slashes for an absolute one).
pub(super) fn parse(url: &str) -> Result<Address, DatabaseError> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| DatabaseError::Url("it has no scheme".to_owned()))?;
    let (database, driver) = scheme.split_once('+').map_or((scheme, None), |(database, driver)| (database, Some(driver)));
    match database {
        "sqlite" => {}
        "mysql" | "mariadb" | "oceanbase" => return Err(DatabaseError::NotYet("MySQL")),
        "postgres" | "postgresql" => return Err(DatabaseError::NotYet("PostgreSQL")),
        other => return Err(DatabaseError::Url(format!("unknown scheme {other}"))),
    }
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if !matches!(parameters, "" | "mode=rwc" | "mode=rw") {
        return Err(DatabaseError::Url("no parameter but mode=rwc is known".to_owned()));
    }
    let path = path.strip_prefix("//").unwrap_or(path);
    let python_relative = driver.is_some() || path.starts_with("/./") || path.starts_with("/../");
    let path = if python_relative { path.strip_prefix('/').unwrap_or(path) } else { path };
    match path {
        "" => Err(DatabaseError::Url("it names no file".to_owned())),
        ":memory:" => Ok(Address::Memory),
        file => Ok(Address::File(PathBuf::from(file))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Address {
        Address::File(PathBuf::from(path))
    }

    #[test]
    fn all_usual_forms_are_read() {
        for (url, expected) in [
            ("sqlite://data/crewd.db", file("data/crewd.db")),
            ("sqlite://data/crewd.db?mode=rwc", file("data/crewd.db")),
            ("sqlite:///var/crewd.db", file("/var/crewd.db")),
            ("sqlite:crewd.db", file("crewd.db")),
            ("sqlite:///./data/crewd.db", file("./data/crewd.db")),
            ("sqlite+aiosqlite:///./data/crewd.db", file("./data/crewd.db")),
            ("sqlite+aiosqlite:////var/crewd.db", file("/var/crewd.db")),
            ("sqlite::memory:", Address::Memory),
            ("sqlite://:memory:", Address::Memory),
        ] {
            assert_eq!(parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn anything_else_is_refused_in_words() {
        for (url, part) in [
            ("crewd.db", "no scheme"),
            ("sqlite://", "no file"),
            ("sqlite://a.db?cache=shared", "mode=rwc"),
            ("oracle://x", "oracle"),
            ("mysql+aiomysql://x", "MySQL is not supported yet"),
            ("postgresql://x", "PostgreSQL is not supported yet"),
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
    }
}
