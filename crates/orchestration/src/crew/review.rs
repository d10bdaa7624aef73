//! A person reads the answer of a crew task and may ask for changes (`human_input`).

use crewd_application::error::ErrorCode;
use crewd_domain::approvals::{ApprovalKind, Decision};
use crewd_domain::crews::{AgentDefinition, CrewTaskDefinition};
use crewd_domain::runs::{EventDraft, EventKind, Failure, FailureClass, IncompleteReason, Step, StepKind, StepPath};
use crewd_domain::tools::{EffectClass, RiskLevel};
use serde_json::{Value, json};

use super::sequential::answer;
use crate::agent::{AgentWork, Consent, Question, answer_text, ask};
use crate::journal::{Recorded, StepIntent};
use crate::run::{RunContext, Stop};

const QUESTION: &str = "Is this answer as it should be? Approve it, or respond with what is to be changed.";

/// The answer once a person has approved it. Each response sends the agent back to work.
///
/// # Errors
/// [`Stop::Waiting`] while nobody has answered, and whatever stops the agent.
pub(super) async fn reviewed(
    context: &RunContext,
    agent_work: &mut AgentWork<'_>,
    task: &CrewTaskDefinition,
    agent: &AgentDefinition,
    path: &StepPath,
    mut current: (String, Option<Value>),
) -> Result<(String, Option<Value>), Stop> {
    let mut round = 0;
    loop {
        match review(context, task, agent, &path.input(round), &current.0)? {
            None => return Ok(current),
            Some(wish) => {
                agent_work.send_back(&wish);
                current = answer(agent_work, task).await?;
            }
        }
        round += 1;
    }
}

/// What a person wishes to be changed; `None` if it is fine.
fn review(
    context: &RunContext,
    task: &CrewTaskDefinition,
    agent: &AgentDefinition,
    path: &StepPath,
    shown: &str,
) -> Result<Option<String>, Stop> {
    let arguments = json!({"answer": shown});
    let input_hash = crewd_application::sha256_hex(arguments.to_string());
    if let Recorded::Finished(step) = context.journal.recorded().find(path) {
        return recorded(&step, &input_hash);
    }
    context.must_be_recorded(path)?;
    let question = Question {
        step: path,
        kind: ApprovalKind::Question,
        tool: &task.name,
        agent: &agent.name,
        text: Some(QUESTION.to_owned()),
        arguments,
        risk: RiskLevel::Low,
        policy: "crew_task:human_input".to_owned(),
        allowed: &[Decision::Approve, Decision::Respond],
    };
    let wish = match ask(context, question)? {
        Consent::Wait(pause) => return Err(Stop::Waiting(pause)),
        Consent::Refused(_) => return Err(unanswered(task)),
        Consent::Given(_) => None,
        Consent::Answered(answer) => Some(answer_text(&answer)),
    };
    let data = json!({"message": "a person has read the answer", "changes": wish});
    let intent = StepIntent {
        path: path.clone(),
        kind: StepKind::Wait,
        name: "human_input".to_owned(),
        agent: agent.name.clone(),
        effect: EffectClass::ReadOnly,
        input_hash,
        announcement: EventDraft::of_step(EventKind::Log, path.clone(), data),
    };
    context.journal.settle(intent, json!({"wish": wish}));
    Ok(wish)
}

fn recorded(step: &Step, input_hash: &str) -> Result<Option<String>, Stop> {
    if !step.had_input(input_hash) {
        return Err(Stop::journal_mismatch(format!("{} was journaled with another answer", step.path)));
    }
    let wish = step.output.as_ref().and_then(|output| output.get("wish")).and_then(Value::as_str);
    Ok(wish.map(str::to_owned))
}

fn unanswered(task: &CrewTaskDefinition) -> Stop {
    let message = format!("nobody has read the answer of {} in time", task.name);
    let failure = Failure::new(FailureClass::Timeout, ErrorCode::Timeout.as_str(), message);
    Stop::Incomplete(IncompleteReason::Deadline, Box::new(failure.with_details(json!({"reason": "approval_expired"}))))
}
