//! What a start prints: where everything is, and a command that works when pasted.

use std::fmt::Write;

use crewd_domain::crews::CrewDefinition;
use serde_json::{Map, Value, json};

/// What the banner tells.
pub(crate) struct Banner<'a> {
    /// `http://127.0.0.1:8072`.
    pub(crate) url: &'a str,
    /// What the process does, such as `api and worker`.
    pub(crate) role: &'a str,
    /// Whether it takes tasks.
    pub(crate) has_api: bool,
    /// The model that answers.
    pub(crate) model: String,
    /// Whether it is the offline model.
    pub(crate) offline: bool,
    /// Where the database is, without password.
    pub(crate) database: String,
    /// Whether callers need a key.
    pub(crate) needs_key: bool,
    /// A crew to try.
    pub(crate) crew: Option<&'a CrewDefinition>,
}

impl Banner<'_> {
    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("\ncrewd {} ({})\n", env!("CARGO_PKG_VERSION"), self.role);
        let model = if self.offline {
            "offline model: answers are SIMULATED. Set APP_LLM_API_KEY for a real one.".to_owned()
        } else {
            self.model.clone()
        };
        let api = [("API", format!("{}/api/v1", self.url)), ("Docs", format!("{}/docs", self.url))];
        let rows = [
            ("Metrics", format!("{}/metrics", self.url)),
            ("Health", format!("{}/health/ready", self.url)),
            ("Database", self.database.clone()),
            ("Model", model),
        ];
        for (name, value) in api.into_iter().filter(|_| self.has_api).chain(rows) {
            let _ = writeln!(text, "  {name:<9} {value}");
        }
        if let Some(crew) = self.crew {
            let _ = write!(text, "\nTry it: submit a task and watch it to its end.\n\n{}\n", self.curl(crew));
        }
        text
    }

    /// Submits a task, takes its id out of the `Location` header and follows its stream: nothing but curl and sh.
    fn curl(&self, crew: &CrewDefinition) -> String {
        let key = if self.needs_key { "-H \"X-API-Key: $CREWD_API_KEY\" " } else { "" };
        let inputs: Map<String, Value> =
            crew.missing_inputs(&Map::new()).into_iter().map(|name| (name, json!("green tea"))).collect();
        let body = json!({"crew": crew.name, "inputs": inputs});
        format!(
            "  curl -sN {key}-H 'Accept: text/event-stream' \"{url}$(curl -s -o /dev/null -w '%header{{location}}' {key}-H 'Content-Type: application/json' \\\n    \
             -d '{body}' {url}/api/v1/tasks)/events\"\n",
            url = self.url
        )
    }
}
