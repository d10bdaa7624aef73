//! `crewd run <crew>`: one run in this process, in a database in memory. Nothing of an installation is touched but
//! the folder of run files.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::Context;
use crewd_application::context::RequestContext;
use crewd_application::ports::TaskView;
use crewd_application::runs::SubmitTask;
use crewd_domain::runs::{CancelMode, RunStatus};
use crewd_domain::shared::TenantId;
use crewd_settings::Settings;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::progress::Progress;
use crate::args::RunArgs;
use crate::bootstrap::{TelemetryOutput, services, telemetry};
use crate::shutdown::Shutdown;

/// Runs a crew and prints its answer. Ends with 0 if the crew succeeded, 130 if it was cancelled, else 1.
pub(crate) async fn run(arguments: &RunArgs, mut settings: Settings) -> anyhow::Result<ExitCode> {
    let inputs = inputs(&arguments.inputs)?;
    settings.database.url = Some(SecretString::from("sqlite::memory:"));
    let guard = telemetry(&settings, TelemetryOutput::Command)?;
    let shutdown = Shutdown::listen()?;
    let services = services(&settings).await?;
    let worker = services.worker(&settings)?;
    let worker = tokio::spawn(worker.run(shutdown.hurry.clone()));

    let context = RequestContext {
        tenant: TenantId::default_tenant(),
        actor: "command line".to_owned(),
        request_id: services.ids.next_id().to_string(),
        traceparent: None,
    };
    let request = SubmitTask { crew: arguments.crew.clone(), inputs, ..SubmitTask::default() };
    let submitted = services.tasks.submit(&context, request, None).await.map_err(explain)?;
    let id = submitted.view.task.id;
    let (_, mut feed) = services.tasks.follow(&context, id, 0, Vec::new()).await?;
    let mut progress = Progress::new(std::io::stderr().is_terminal(), services.model.is_simulated());
    let mut asked = false;
    loop {
        tokio::select! {
            event = feed.next() => match event? {
                Some(event) => progress.show(&event),
                None => break,
            },
            () = shutdown.begin.cancelled(), if !asked => {
                asked = true;
                services.tasks.cancel(&context, id, CancelMode::Immediate, Some("interrupted".to_owned())).await?;
            }
        }
    }
    let view = services.tasks.get(&context, id).await?;
    shutdown.hurry.cancel();
    worker.await?;
    services.storage.database.close().await?;
    tokio::task::spawn_blocking(move || guard.shutdown()).await?;
    print(arguments, &view)?;
    Ok(exit_code(view.run.status))
}

fn exit_code(status: RunStatus) -> ExitCode {
    match status {
        RunStatus::Succeeded => ExitCode::SUCCESS,
        // What shells give a program that was interrupted.
        RunStatus::Cancelled => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}

fn print(arguments: &RunArgs, view: &TaskView) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", crewd_api::task_json(view.clone())?)?;
    } else if let Some(raw) = view.run.output.as_ref().and_then(|output| output.get("raw")).and_then(Value::as_str) {
        writeln!(out, "{}", raw.trim_end())?;
    }
    if let Some(error) = &view.run.error {
        eprintln!("crewd: {}: {}", error.code, error.message);
    }
    Ok(())
}

/// All problems of a refused submission, in lines.
fn explain(error: crewd_application::error::Error) -> anyhow::Error {
    let fields: Vec<String> = error.fields.iter().map(|field| format!("\n  {} {}", field.pointer, field.message)).collect();
    anyhow::anyhow!("{}{}", error.message, fields.concat())
}

/// Inputs as given: `name=value` is a text, `@file` and `-` are JSON objects.
fn inputs(arguments: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut inputs = Map::new();
    for argument in arguments {
        if argument == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
            inputs.extend(object(&text, "standard input")?);
        } else if let Some(path) = argument.strip_prefix('@') {
            let text = std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
            inputs.extend(object(&text, path)?);
        } else {
            let (name, value) = argument
                .split_once('=')
                .with_context(|| format!("--input {argument}: it has the form name=value, @file or -"))?;
            let value = match value.strip_prefix('@') {
                Some(path) => std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?,
                None => value.to_owned(),
            };
            inputs.insert(name.to_owned(), Value::String(value));
        }
    }
    Ok(inputs)
}

fn object(text: &str, origin: &str) -> anyhow::Result<Map<String, Value>> {
    match serde_json::from_str(text).with_context(|| format!("{origin} is not JSON"))? {
        Value::Object(object) => Ok(object),
        _ => anyhow::bail!("{origin} must hold a JSON object of inputs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_texts_or_files_of_json() {
        let folder = std::env::temp_dir().join(format!("crewd-inputs-{}", std::process::id()));
        std::fs::write(&folder, "{\"n\": 2, \"topic\": \"file\"}").unwrap();
        let given = [format!("@{}", folder.display()), "topic=a=b".to_owned()];
        let inputs = inputs(&given).unwrap();
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(inputs.get("n"), Some(&Value::from(2)));
        assert_eq!(inputs.get("topic"), Some(&Value::from("a=b")), "later ones win");
        assert!(super::inputs(&["nonsense".to_owned()]).is_err());
        assert!(object("[1]", "x").is_err());
    }
}
