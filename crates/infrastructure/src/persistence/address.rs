//! Which database a URL means.

use std::path::PathBuf;

use url::Url;

use super::error::DatabaseError;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// SQLite in this process, until it is closed.
    Memory,
    /// SQLite in a file.
    File(PathBuf),
    /// A server that speaks MySQL's protocol: OceanBase, MySQL, MariaDB. The URL has the scheme `mysql`.
    MySql(Url),
    /// PostgreSQL. The URL has the scheme `postgres`.
    Postgres(Url),
}

/// Reads a URL: `sqlite://<path>`, `sqlite:<path>`, `sqlite::memory:`, `mysql://…`, `postgres://…`, and the forms of
/// Python drivers (`sqlite+aiosqlite:///<relative path>`, four slashes for an absolute one; `mysql+aiomysql://…`,
/// `postgresql+asyncpg://…`).
pub(super) fn parse(url: &str) -> Result<Address, DatabaseError> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| DatabaseError::Url("it has no scheme".to_owned()))?;
    let (database, driver) = scheme.split_once('+').map_or((scheme, None), |(database, driver)| (database, Some(driver)));
    match database {
        "sqlite" => sqlite(rest, driver.is_some()),
        "mysql" | "mariadb" | "oceanbase" => server("mysql", rest).map(Address::MySql),
        "postgres" | "postgresql" => server("postgres", rest).map(Address::Postgres),
        other => Err(DatabaseError::Url(format!("unknown scheme {other}"))),
    }
}

fn sqlite(rest: &str, has_driver: bool) -> Result<Address, DatabaseError> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if !matches!(parameters, "" | "mode=rwc" | "mode=rw") {
        return Err(DatabaseError::Url("no parameter but mode=rwc is known".to_owned()));
    }
    let path = path.strip_prefix("//").unwrap_or(path);
    let python_relative = has_driver || path.starts_with("/./") || path.starts_with("/../");
    let path = if python_relative { path.strip_prefix('/').unwrap_or(path) } else { path };
    match path {
        "" => Err(DatabaseError::Url("it names no file".to_owned())),
        ":memory:" => Ok(Address::Memory),
        file => Ok(Address::File(PathBuf::from(file))),
    }
}

/// A user like `user@tenant#cluster` must be percent-encoded: the marks mean something else in a URL.
fn server(scheme: &str, rest: &str) -> Result<Url, DatabaseError> {
    let mut url = Url::parse(&format!("{scheme}:{rest}")).map_err(|error| {
        DatabaseError::Url(format!("{error}; a user such as name@tenant#cluster is written name%40tenant%23cluster"))
    })?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(DatabaseError::Url("it names no host".to_owned()));
    }
    if url.fragment().is_some() {
        return Err(DatabaseError::Url("a # must be written %23".to_owned()));
    }
    let name = url.path().trim_matches('/');
    if name.is_empty() {
        return Err(DatabaseError::Url("it names no database: put its name behind the host, as in /crewd".to_owned()));
    }
    if name.contains('/') {
        return Err(DatabaseError::Url("the name of the database has a slash in it".to_owned()));
    }
    // Parameters that Python's drivers know and this one does not.
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "charset")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok(url)
}

/// The name of the database in the URL of a server.
pub(super) fn database_name(url: &Url) -> String {
    let name = url.path().trim_matches('/');
    let parts: Vec<u8> = percent_decode(name);
    String::from_utf8_lossy(&parts).into_owned()
}

fn percent_decode(text: &str) -> Vec<u8> {
    // Read as a form's value, with the one mark that means something else there.
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .next()
        .map(|(name, _)| name.into_owned().into_bytes())
        .unwrap_or_default()
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
    fn servers_are_read_with_the_forms_of_python() {
        for (url, expected) in [
            ("mysql://root@h:2881/crewd", "mysql://root@h:2881/crewd"),
            ("mysql+aiomysql://u:p%40ss@h/crewd?charset=utf8mb4", "mysql://u:p%40ss@h/crewd"),
            ("oceanbase://u%40t%23c:p@h:2883/crewd?ssl-mode=REQUIRED", "mysql://u%40t%23c:p@h:2883/crewd?ssl-mode=REQUIRED"),
            ("mariadb+asyncmy://u@h/crewd", "mysql://u@h/crewd"),
        ] {
            assert_eq!(parse(url).unwrap(), Address::MySql(Url::parse(expected).unwrap()), "{url}");
        }
        for url in ["postgres://u:p@h/crewd", "postgresql+asyncpg://u:p@h/crewd", "postgresql+psycopg://u:p@h/crewd"] {
            assert_eq!(parse(url).unwrap(), Address::Postgres(Url::parse("postgres://u:p@h/crewd").unwrap()), "{url}");
        }
        let Address::MySql(url) = parse("mysql://h/my%20crews").unwrap() else { panic!("not MySQL") };
        assert_eq!(database_name(&url), "my crews");
    }

    #[test]
    fn anything_else_is_refused_in_words() {
        for (url, part) in [
            ("crewd.db", "no scheme"),
            ("sqlite://", "no file"),
            ("sqlite://a.db?cache=shared", "mode=rwc"),
            ("oracle://x", "oracle"),
            ("mysql://u@h", "no database"),
            ("mysql:///crewd", "host"),
            ("mysql://u@t#c:p@h/crewd", "%23"),
            ("postgres://h/a/b", "slash"),
        ] {
            let error = parse(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        }
    }
}
