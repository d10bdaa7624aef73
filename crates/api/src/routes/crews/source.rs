//! The files of a crew out of a JSON or YAML body.

use crewd_application::ports::{CrewSource, SourceFile};
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::yaml_sections::{SECTIONS, split};
use crate::error::{ApiError, Problems, pointer_to};
use crate::extract::{Body, BodyKind, ObjectReader, Query, parse_json};

/// Name of a crew that is only checked.
const NAMELESS: &str = "crew";
/// Characters of the path of a file.
const LONGEST_PATH: usize = 255;

/// A definition: the three files of a crew's folder, each as YAML text or as an object.
#[derive(Debug, Default, ToSchema)]
pub(super) struct PutCrewRequest {
    /// What would stand in `agents.yaml`.
    #[schema(value_type = Option<DefinitionFile>)]
    agents: Option<String>,
    /// What would stand in `tasks.yaml`.
    #[schema(value_type = Option<DefinitionFile>)]
    tasks: Option<String>,
    /// What would stand in `crew.yaml`.
    #[schema(value_type = Option<DefinitionFile>)]
    crew: Option<String>,
}

/// A definition to be checked: either the three texts, or files by their paths.
#[derive(Debug, Default, ToSchema)]
pub(super) struct ValidateCrewRequest {
    /// Name of the crew; `crew` if it is not given.
    name: Option<String>,
    /// What would stand in `agents.yaml`.
    #[schema(value_type = Option<DefinitionFile>)]
    agents: Option<String>,
    /// What would stand in `tasks.yaml`.
    #[schema(value_type = Option<DefinitionFile>)]
    tasks: Option<String>,
    /// What would stand in `crew.yaml`.
    #[schema(value_type = Option<DefinitionFile>)]
    crew: Option<String>,
    /// Texts by their paths in the crew's folder, such as `agents/writer.yaml`.
    #[schema(value_type = Option<std::collections::HashMap<String, String>>)]
    files: Vec<SourceText>,
    /// Whether warnings count as errors.
    strict: Option<bool>,
}

/// How a file of a definition is given, for the document alone: as text or as the object it stands for.
struct DefinitionFile;

impl PartialSchema for DefinitionFile {
    fn schema() -> RefOr<Schema> {
        let of = |kind: Type, text: &str| ObjectBuilder::new().schema_type(kind).description(Some(text));
        let either =
            OneOfBuilder::new().item(of(Type::String, "YAML text.")).item(of(Type::Object, "What the text would stand for."));
        either.description(Some("A file of a definition.")).into()
    }
}

impl ToSchema for DefinitionFile {}

/// A path in the crew's folder and the text there.
type SourceText = (String, String);

/// The definition in the body of a `PUT`.
///
/// # Errors
/// What is wrong with the body as such; what is wrong with the definition is not looked at here.
pub(super) fn read_put(body: &Body, name: &str, depth: usize) -> Result<CrewSource, ApiError> {
    let (kind, text) = body.definition()?;
    if kind == BodyKind::Yaml && !text.trim_start().starts_with('{') {
        return Ok(of_sections(name, split(text)?));
    }
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(parse_json(text, depth)?, &mut problems)?;
    let [agents, tasks, crew] = SECTIONS.map(|section| definition_text(&mut reader, section));
    let request = PutCrewRequest { agents, tasks, crew };
    if request.agents.is_none() && request.tasks.is_none() {
        reader.add("required", "agents", "is required: the text of agents.yaml, or the object it stands for");
    }
    reader.finish();
    problems.check()?;
    let sections = SECTIONS.into_iter().zip([request.agents, request.tasks, request.crew]);
    Ok(of_sections(name, sections.filter_map(|(section, text)| Some((section, text?)))))
}

/// The definition in the body of a check, and whether warnings count. With YAML, name and strictness stand in the query.
///
/// # Errors
/// As [`read_put`].
pub(super) fn read_validate(body: &Body, mut query: Query, depth: usize) -> Result<(CrewSource, bool), ApiError> {
    let (kind, text) = body.definition()?;
    let (named, strict) = (query.label("name"), query.boolean("strict"));
    query.finish()?;
    if kind == BodyKind::Yaml && !text.trim_start().starts_with('{') {
        return Ok((of_sections(named.as_deref().unwrap_or(NAMELESS), split(text)?), strict.unwrap_or(false)));
    }
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(parse_json(text, depth)?, &mut problems)?;
    let [agents, tasks, crew] = SECTIONS.map(|section| definition_text(&mut reader, section));
    let files = read_files(&mut reader);
    let has_texts = agents.is_some() || tasks.is_some() || crew.is_some();
    if has_texts == reader.was_given("files") {
        let said =
            if has_texts { "goes not together with agents, tasks and crew" } else { "is required, or agents and tasks are" };
        reader.add("required", "files", said);
    }
    let request = ValidateCrewRequest {
        name: reader.name("name", LONGEST_PATH),
        agents,
        tasks,
        crew,
        files,
        strict: reader.boolean("strict"),
    };
    reader.finish();
    problems.check()?;
    let name = request.name.or(named).unwrap_or_else(|| NAMELESS.to_owned());
    let sections = SECTIONS.into_iter().zip([request.agents, request.tasks, request.crew]);
    let mut source = of_sections(&name, sections.filter_map(|(section, text)| Some((section, text?))));
    source.files.extend(request.files.into_iter().map(|(path, text)| file(&name, &path, text)));
    Ok((source, request.strict.or(strict).unwrap_or(false)))
}

fn of_sections(name: &str, sections: impl IntoIterator<Item = (&'static str, String)>) -> CrewSource {
    let files = sections.into_iter().map(|(section, text)| file(name, &format!("{section}.yaml"), text)).collect();
    CrewSource { name: name.to_owned(), files }
}

fn file(name: &str, path: &str, text: String) -> SourceFile {
    SourceFile { path: format!("{name}/{path}"), content: text.into_bytes() }
}

/// A file as text: what is given as an object is written down, as every JSON text is YAML, too.
fn definition_text(reader: &mut ObjectReader<'_>, name: &'static str) -> Option<String> {
    match reader.any(name)? {
        Value::String(text) => Some(text),
        object @ Value::Object(_) => serde_json::to_string_pretty(&object).ok(),
        _ => {
            reader.add("wrong_type", name, "must be YAML text or an object");
            None
        }
    }
}

fn read_files(reader: &mut ObjectReader<'_>) -> Vec<SourceText> {
    let mut files = Vec::new();
    for (path, text) in reader.object("files").unwrap_or_default() {
        let pointer = pointer_to("files", &path);
        match text {
            _ if !is_relative(&path) => reader.add_at("invalid_filename", &pointer, "must be a path inside of the crew's folder"),
            Value::String(text) => files.push((path, text)),
            _ => reader.add_at("wrong_type", &pointer, "must be a string"),
        }
    }
    files
}

/// Whether a path stays in its folder, on every system.
fn is_relative(path: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.ends_with([' ', '.']);
    path.chars().count() <= LONGEST_PATH
        && path.split('/').all(is_part)
        && !path.chars().any(|character| character.is_control() || matches!(character, '\\' | ':'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put(content_type: &'static str, text: &str) -> Result<CrewSource, ApiError> {
        read_put(&Body::of(content_type, text), "tea", 64)
    }

    fn validate(body: &Value) -> Result<(CrewSource, bool), ApiError> {
        read_validate(&Body::of("application/json", &body.to_string()), Query::default(), 64)
    }

    fn paths(source: &CrewSource) -> Vec<&str> {
        source.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn texts_and_objects_become_files() {
        let source = put("application/json", &json!({"agents": "a: 1\n", "tasks": {"t": {"agent": "a"}}}).to_string()).unwrap();
        assert_eq!((source.name.as_str(), paths(&source)), ("tea", vec!["tea/agents.yaml", "tea/tasks.yaml"]));
        assert_eq!(source.files[0].content, b"a: 1\n");
        assert_eq!(serde_json::from_slice::<Value>(&source.files[1].content).unwrap(), json!({"t": {"agent": "a"}}));
    }

    #[test]
    fn one_yaml_document_becomes_files() {
        let source = put("application/yaml", "agents:\n  a: {}\ntasks:\n  t: {}\n").unwrap();
        assert_eq!(paths(&source), ["tea/agents.yaml", "tea/tasks.yaml"]);
        let json = put("application/yaml", "{\"agents\": {\"a\": {}}}").unwrap();
        assert_eq!(paths(&json), ["tea/agents.yaml"], "JSON is YAML");
    }

    #[test]
    fn bodies_out_of_shape_are_refused() {
        for (text, pointer) in
            [("{}", "/agents"), (r#"{"agents": 7, "tasks": ""}"#, "/agents"), (r#"{"agents": "", "agnets": ""}"#, "/agnets")]
        {
            let error = put("application/json", text).unwrap_err();
            assert_eq!(error.details().fields[0].pointer, pointer, "{text}");
        }
        assert!(put("text/plain", "agents: {}").is_err());
    }

    #[test]
    fn a_check_takes_texts_or_files() {
        let (source, strict) = validate(&json!({"name": "n", "agents": "a", "tasks": "t", "strict": true})).unwrap();
        assert_eq!((paths(&source), strict), (vec!["n/agents.yaml", "n/tasks.yaml"], true));
        let (source, strict) = validate(&json!({"files": {"agents/a.yaml": "x", "crew.yaml": "y"}})).unwrap();
        assert_eq!((paths(&source), strict), (vec!["crew/agents/a.yaml", "crew/crew.yaml"], false));
        for body in [json!({}), json!({"agents": "a", "files": {"tasks.yaml": "t"}})] {
            assert_eq!(validate(&body).unwrap_err().details().fields[0].pointer, "/files");
        }
    }

    #[test]
    fn files_stay_in_their_folder() {
        for path in ["../agents.yaml", "/etc/passwd", "a/../../b", "a\\b", "C:x", "a//b", ".", "a/.", "x\0", "a ", "..."] {
            let error = validate(&json!({"files": {path: "x"}})).unwrap_err();
            assert_eq!(error.details().reason.as_deref(), Some("invalid_filename"), "{path:?}");
        }
        assert!(validate(&json!({"files": {"agents/研究.yaml": "x"}})).is_ok());
    }

    #[test]
    fn a_yaml_check_is_named_by_the_query() {
        let body = Body::of("application/yaml", "agents: {}\n");
        let (source, strict) = read_validate(&body, Query::of(&[("name", "tea"), ("strict", "true")]), 64).unwrap();
        assert_eq!((paths(&source), strict), (vec!["tea/agents.yaml"], true));
        assert!(read_validate(&body, Query::of(&[("strict", "perhaps")]), 64).is_err());
    }
}
