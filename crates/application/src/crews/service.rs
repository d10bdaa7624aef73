//! Which definition a name stands for, and how a new one comes in.
//!
//! Two sources: files (the catalogue) and the API. A definition that came over the API stands before a file of the
//! same name, so that an operator's `PUT` holds until the next `PUT`. Files are there for every tenant, a definition of the
//! API for its own tenant alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use crewd_domain::crews::{ValidationReport, closest};
use crewd_domain::shared::TenantId;

use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{CatalogEntry, Change, Clock, CrewCatalog, CrewSource, RunQueries, Store, StoredCrew, UnitOfWork};

/// Characters of an unknown name that an answer repeats.
const MAX_SHOWN: usize = 100;

/// What the service works with.
pub struct CrewServiceParts {
    /// Definitions in files.
    pub catalog: Arc<dyn CrewCatalog>,
    /// Stored definitions.
    pub queries: Arc<dyn RunQueries>,
    /// Where new ones go.
    pub store: Arc<dyn Store>,
    /// When they came.
    pub clock: Arc<dyn Clock>,
}

/// A line of a crew's history.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionLine {
    /// `sha256:` and hexadecimal digits.
    pub version: String,
    /// Whether it came over the API.
    pub from_api: bool,
    /// Whether a task submitted now would get it.
    pub current: bool,
    /// When it was first stored; `None` for a file that no task has used yet.
    pub created_at: Option<DateTime<Utc>>,
}

type ApiCrews = HashMap<(TenantId, String), CatalogEntry>;

/// Definitions by name and version.
pub struct CrewService {
    parts: CrewServiceParts,
    /// Newest API definition per tenant and name; refreshed by [`CrewService::refresh`].
    from_api: RwLock<ApiCrews>,
    /// Tenants whose API definitions have been read.
    followed: RwLock<BTreeSet<TenantId>>,
}

impl CrewService {
    /// A service that knows no API definitions before its first [`CrewService::refresh`].
    #[must_use]
    pub fn new(parts: CrewServiceParts) -> Self {
        Self { parts, from_api: RwLock::default(), followed: RwLock::default() }
    }

    /// Reads the API definitions of a tenant again; other processes may have added some.
    ///
    /// # Errors
    /// Where the database does not answer. A stored definition that cannot be read is skipped: its runs say so.
    pub async fn refresh(&self, tenant: &TenantId) -> Result<()> {
        let stored = self.parts.queries.api_crews(tenant).await?;
        let known = self.known(tenant);
        let mut fresh: Vec<(String, CatalogEntry)> = Vec::new();
        for crew in stored {
            let same = known.get(&crew.name).filter(|entry| *entry.version == *crew.version);
            let entry = match same {
                Some(entry) => Ok(entry.clone()),
                None => self.parts.catalog.restore(&crew.definition),
            };
            if let Ok(entry) = entry {
                fresh.push((crew.name, entry));
            }
        }
        let mut map = self.from_api.write().unwrap_or_else(PoisonError::into_inner);
        map.extend(fresh.into_iter().map(|(name, entry)| ((tenant.clone(), name), entry)));
        drop(map);
        self.followed.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone());
        Ok(())
    }

    /// Reads the API definitions of all tenants again whose definitions were read before.
    ///
    /// # Errors
    /// As [`CrewService::refresh`].
    pub async fn refresh_followed(&self) -> Result<()> {
        let followed = self.followed.read().unwrap_or_else(PoisonError::into_inner).clone();
        for tenant in &followed {
            self.refresh(tenant).await?;
        }
        Ok(())
    }

    fn is_followed(&self, tenant: &TenantId) -> bool {
        self.followed.read().unwrap_or_else(PoisonError::into_inner).contains(tenant)
    }

    /// All crews the caller can run, by name.
    #[must_use]
    pub fn list(&self, context: &RequestContext) -> Vec<CatalogEntry> {
        let mut crews = self.known(&context.tenant);
        for entry in self.parts.catalog.list() {
            crews.entry(entry.definition.name.clone()).or_insert(entry);
        }
        let mut crews: Vec<_> = crews.into_values().collect();
        crews.sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
        crews
    }

    /// The crew that a task submitted now would get.
    ///
    /// # Errors
    /// `not_found`.
    pub fn current(&self, context: &RequestContext, name: &str) -> Result<CatalogEntry> {
        let from_api = self.from_api.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = from_api.get(&(context.tenant.clone(), name.to_owned())) {
            return Ok(entry.clone());
        }
        drop(from_api);
        self.parts.catalog.get(name).ok_or_else(|| self.unknown(context, name))
    }

    /// Names the nearest crew this caller may see.
    fn unknown(&self, context: &RequestContext, name: &str) -> Error {
        let crews = self.list(context);
        let near = closest(name, crews.iter().map(|entry| entry.definition.name.as_str()));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let shown: String = name.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
        Error::new(ErrorCode::NotFound, format!("there is no crew named {shown}{hint}"))
    }

    /// The crew with a name, in a version if one is named.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn resolve(&self, context: &RequestContext, name: &str, version: Option<&str>) -> Result<CatalogEntry> {
        // A tenant that this process has not heard of: its schedules fire wherever a process runs.
        if !self.is_followed(&context.tenant) {
            self.refresh(&context.tenant).await?;
        }
        let Some(version) = version else { return self.current(context, name) };
        if let Ok(entry) = self.current(context, name)
            && *entry.version == *version
        {
            return Ok(entry);
        }
        let stored = self.parts.queries.crew(&context.tenant, name, version).await?;
        let stored = stored.ok_or_else(|| Error::not_found("version of this crew"))?;
        self.parts.catalog.restore(&stored.definition).map_err(|cause| {
            Error::new(ErrorCode::Internal, "the stored definition cannot be read").caused_by(std::io::Error::other(cause))
        })
    }

    /// Adds a definition; from now on it is the current one of its name. The same definition again changes nothing.
    ///
    /// # Errors
    /// `invalid_definition` with all problems.
    pub async fn put(&self, context: &RequestContext, source: &CrewSource) -> Result<CatalogEntry> {
        let (entry, report) = self.parts.catalog.read(source, false);
        let entry = entry.ok_or_else(|| Error::definition(report))?;
        let mut unit = UnitOfWork::new(context.tenant.clone());
        unit.push(Change::SaveCrew(Box::new(StoredCrew { from_api: true, ..self.stored(&context.tenant, &entry) })));
        self.parts.store.commit(unit).await?;
        let key = (context.tenant.clone(), entry.definition.name.clone());
        self.from_api.write().unwrap_or_else(PoisonError::into_inner).insert(key, entry.clone());
        Ok(entry)
    }

    /// Checks a definition without keeping it.
    #[must_use]
    pub fn validate(&self, source: &CrewSource, strict: bool) -> ValidationReport {
        self.parts.catalog.read(source, strict).1
    }

    /// The history of a name, newest first.
    ///
    /// # Errors
    /// `not_found` for a name that never was.
    pub async fn versions(&self, context: &RequestContext, name: &str) -> Result<Vec<VersionLine>> {
        let current = self.current(context, name).ok().map(|entry| entry.version);
        let stored = self.parts.queries.crew_versions(&context.tenant, name).await?;
        let is_current = |version: &str| current.as_deref() == Some(version);
        let mut lines: Vec<VersionLine> = stored
            .into_iter()
            .map(|line| VersionLine {
                current: is_current(&line.version),
                version: line.version,
                from_api: line.from_api,
                created_at: Some(line.created_at),
            })
            .collect();
        if let Some(version) = &current
            && !lines.iter().any(|line| line.current)
        {
            lines.insert(0, VersionLine { version: version.to_string(), from_api: false, current: true, created_at: None });
        }
        if lines.is_empty() { Err(Error::not_found("crew")) } else { Ok(lines) }
    }

    /// The row that pins an entry.
    #[must_use]
    pub fn stored(&self, tenant: &TenantId, entry: &CatalogEntry) -> StoredCrew {
        StoredCrew {
            tenant_id: tenant.clone(),
            name: entry.definition.name.clone(),
            version: entry.version.to_string(),
            definition: entry.canonical.to_string(),
            from_api: false,
            created_at: self.parts.clock.now(),
        }
    }

    fn known(&self, tenant: &TenantId) -> HashMap<String, CatalogEntry> {
        let map = self.from_api.read().unwrap_or_else(PoisonError::into_inner);
        map.iter().filter(|((owner, _), _)| owner == tenant).map(|((_, name), entry)| (name.clone(), entry.clone())).collect()
    }
}
