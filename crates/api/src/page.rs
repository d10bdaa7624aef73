//! Limits and cursors of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crewd_application::error::ErrorCode;
use crewd_application::sha256_hex;
use crewd_domain::shared::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::Query;

/// Items of a page unless the caller says otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// Items of a page at most.
const MOST: u32 = 200;
/// Digits of the mark that binds a cursor to its list.
const MARK: usize = 16;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page starts: send it back as `cursor`. `null` on the last page.
    pub(crate) next_cursor: Option<String>,
}

/// `?limit=`: 1 to 200, 50 if it is not given.
pub(crate) fn limit(query: &mut Query) -> u32 {
    query.number("limit", 1..=MOST).unwrap_or(DEFAULT_LIMIT)
}

/// Makes and reads the cursors of one list of one tenant.
///
/// A cursor is opaque to clients. It carries a mark of its list and tenant, so that one of another list or another
/// tenant is refused instead of giving a wrong page; it is no secret, as every read is bound to its tenant anyway.
pub(crate) struct Cursors {
    mark: String,
}

impl Cursors {
    /// The cursors of a list, named by its route.
    pub(crate) fn of(route: &str, tenant: &TenantId) -> Self {
        let mut mark = sha256_hex(format!("cursor\n{route}\n{tenant}"));
        mark.truncate(MARK);
        Self { mark }
    }

    /// A cursor for a place in the list.
    pub(crate) fn write(&self, place: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{place}", self.mark))
    }

    /// The place a cursor stands for; nothing without a cursor.
    ///
    /// # Errors
    /// `bad_request` with the reason `invalid_cursor`.
    pub(crate) fn read<T>(&self, cursor: Option<String>, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ApiError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let place = decoded.as_deref().and_then(|text| text.strip_prefix(self.mark.as_str()));
        place.and_then(parse).map(Some).ok_or_else(invalid_cursor)
    }
}

/// A page of a list that is whole in memory, sorted by a unique name.
///
/// # Errors
/// See [`Cursors::read`] and [`Query::finish`].
pub(crate) fn page_by_name<T>(
    query: Query,
    cursors: &Cursors,
    all: Vec<T>,
    name: impl Fn(&T) -> &str,
) -> Result<Page<T>, ApiError> {
    let asked = read(query, cursors)?;
    let start = asked.after.as_deref().map_or(0, |after| all.partition_point(|item| name(item) <= after));
    Ok(cut(all, start, asked.limit, cursors, name))
}

/// A page of a list that is whole in memory, in an order of its own, with a unique key.
///
/// # Errors
/// See [`Cursors::read`] and [`Query::finish`].
pub(crate) fn page_in_order<T>(
    query: Query,
    cursors: &Cursors,
    all: Vec<T>,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, ApiError> {
    let asked = read(query, cursors)?;
    let start = match asked.after.as_deref() {
        Some(after) => all.iter().position(|item| key(item) == after).ok_or_else(invalid_cursor)?.saturating_add(1),
        None => 0,
    };
    Ok(cut(all, start, asked.limit, cursors, key))
}

struct Asked {
    limit: usize,
    after: Option<String>,
}

fn read(mut query: Query, cursors: &Cursors) -> Result<Asked, ApiError> {
    let limit = limit(&mut query) as usize;
    let cursor = query.text("cursor");
    query.finish()?;
    Ok(Asked { limit, after: cursors.read(cursor, |place| Some(place.to_owned()))? })
}

fn cut<T>(all: Vec<T>, start: usize, limit: usize, cursors: &Cursors, key: impl Fn(&T) -> &str) -> Page<T> {
    let mut rest = all.into_iter().skip(start);
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next_cursor = match (rest.next(), items.last()) {
        (Some(_), Some(last)) => Some(cursors.write(key(last))),
        _ => None,
    };
    Page { items, next_cursor }
}

fn invalid_cursor() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "the cursor is not one of this list").because("invalid_cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors(route: &str, tenant: &str) -> Cursors {
        Cursors::of(route, &TenantId::try_from(tenant.to_owned()).unwrap())
    }

    fn number(text: &str) -> Option<u32> {
        text.parse().ok()
    }

    #[test]
    fn a_cursor_is_bound_to_its_list_and_tenant() {
        let cursor = cursors("/tasks", "a").write("7");
        assert_eq!(cursors("/tasks", "a").read(Some(cursor.clone()), number).unwrap(), Some(7));
        assert_eq!(cursors("/tasks", "a").read(None, number).unwrap(), None);
        for other in [cursors("/crews", "a"), cursors("/tasks", "b")] {
            assert_eq!(other.read(Some(cursor.clone()), number).unwrap_err().details().reason.as_deref(), Some("invalid_cursor"));
        }
    }

    #[test]
    fn garbage_is_no_cursor() {
        let cursors = cursors("/tasks", "a");
        let garbage =
            ["", "garbage", "AAAA", "\0", "eyJ4IjoxfQ", "../../etc", &cursors.write("x"), &format!("{}=", cursors.write("7"))];
        for text in garbage {
            assert_eq!(cursors.read(Some(text.to_owned()), number).unwrap_err().code(), ErrorCode::BadRequest, "{text:?}");
        }
    }

    #[test]
    fn a_list_in_memory_is_paged() {
        let cursors = cursors("/crews", "a");
        let all = || vec!["a", "b", "c"];
        let whole = page_by_name(Query::default(), &cursors, all(), |name| name).unwrap();
        assert_eq!((whole.items.len(), whole.next_cursor), (3, None));
        let first = page_by_name(Query::of(&[("limit", "2")]), &cursors, all(), |name| name).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let next = first.next_cursor.unwrap();
        let second = page_by_name(Query::of(&[("limit", "2"), ("cursor", &next)]), &cursors, all(), |name| name).unwrap();
        assert_eq!((second.items, second.next_cursor), (vec!["c"], None));
    }
}
