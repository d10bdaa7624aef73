//! The loop of one agent on one crew task.

use std::sync::Arc;

use crewd_application::error::ErrorCode;
use crewd_application::ports::{
    CallLabels, Message, ModelErrorKind, ModelRequest, ModelResponse, ResponseFormat, Role, Sampling, ToolCall, ToolChoice,
};
use crewd_domain::crews::{AgentDefinition, CrewTaskDefinition};
use crewd_domain::runs::{EventDraft, EventKind, Failure, FailureClass, IncompleteReason, StepKind, StepPath};
use crewd_domain::tools::{EffectClass, ToolDescriptor};
use serde_json::{Value, json};

use super::compaction::compact;
use super::context_window::{estimate_tokens, window_of};
use super::model_step::{CallFailure, call_model};
use super::react::{Reading, read_text};
use super::tool_step::{ToolAnswer, call_tools};
use super::{prompts, react};
use crate::journal::{Recorded, StepIntent};
use crate::run::{RunContext, Stop};

/// How often a model may mend an answer that cannot be accepted, and call a tool with unacceptable arguments, in a row.
const MAX_REPAIRS: u32 = 3;

/// A crew task as an agent gets it.
pub struct AgentTask<'a> {
    /// With placeholders filled in.
    pub definition: &'a CrewTaskDefinition,
    /// Outputs of earlier crew tasks that it may see; empty for none.
    pub context: String,
}

/// How the model is told of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToolMode {
    /// By the provider's tool calls.
    Native,
    /// By a format in the text.
    Text,
}

/// One agent, one crew task.
pub struct AgentWork<'a> {
    context: &'a RunContext,
    agent: &'a AgentDefinition,
    path: StepPath,
    task: AgentTask<'a>,
    tools: Arc<[ToolDescriptor]>,
    labels: Arc<CallLabels>,
    mode: ToolMode,
    messages: Vec<Message>,
    /// Counts model calls; also their address.
    turn: usize,
    /// Tool calls in a row whose arguments were not acceptable.
    invalid_calls: u32,
    /// Answers in a row that were not acceptable.
    bad_answers: u32,
}

impl<'a> AgentWork<'a> {
    /// Builds the conversation's start.
    ///
    /// # Errors
    /// Where a tool is not there any more.
    pub fn new(context: &'a RunContext, agent: &'a AgentDefinition, task: AgentTask<'a>, path: StepPath) -> Result<Self, Stop> {
        let names = task.definition.tools.as_ref().unwrap_or(&agent.tools);
        let gone = |name| Stop::journal_mismatch(format!("the tool {name} is gone"));
        let tools = context.engine.schemas.offer(names).map_err(gone)?;
        let native = agent.llm.as_ref().and_then(|llm| llm.native_tools).unwrap_or(true);
        let mode = if native || tools.is_empty() { ToolMode::Native } else { ToolMode::Text };
        let labels = CallLabels {
            tenant: Some(context.task.tenant_id.clone()),
            agent: agent.name.clone(),
            task_description: task.definition.description.clone(),
            expected_output: task.definition.expected_output.clone(),
        };
        let mut work = Self {
            context,
            agent,
            path,
            task,
            tools,
            labels: Arc::new(labels),
            mode,
            messages: Vec::new(),
            turn: 0,
            invalid_calls: 0,
            bad_answers: 0,
        };
        work.open_conversation();
        Ok(work)
    }

    /// Works until there is an answer in text.
    ///
    /// # Errors
    /// Any [`Stop`].
    pub async fn answer(&mut self) -> Result<String, Stop> {
        for _ in 0..self.turns() {
            let response = self.ask(ToolChoice::Auto, None).await?;
            if let Some(answer) = self.take_turn(response).await?
                && !self.was_spoken_to()
            {
                return Ok(answer);
            }
        }
        self.forced_answer().await
    }

    /// Asks for the same answer in the shape of a schema.
    ///
    /// # Errors
    /// Any [`Stop`].
    pub async fn repair(&mut self, problems: &[String], schema: &Value) -> Result<String, Stop> {
        self.messages.push(Message::text(Role::User, prompts::repair_json(problems, schema)));
        let format = ResponseFormat { name: "output".to_owned(), schema: schema.clone() };
        let response = self.ask(ToolChoice::None, Some(format)).await?;
        self.messages.push(Message::text(Role::Assistant, response.text.clone()));
        Ok(response.text)
    }

    /// Sends the agent back to work with a person's wish.
    pub fn send_back(&mut self, wish: &str) {
        self.messages.push(Message::text(Role::User, prompts::human_feedback(wish)));
    }

    /// Keeps an answer that could not be taken for the output of the run, which fails for it.
    pub fn keep_partial(&self, answer: String) {
        self.context.set_partial(answer);
    }

    fn open_conversation(&mut self) {
        let text_tools = (self.mode == ToolMode::Text).then_some(&*self.tools);
        let date = self.context.task.dated();
        let system = prompts::system(self.agent, text_tools, date);
        let user = prompts::user(self.task.definition, &self.task.context);
        self.messages = if self.agent.use_system_prompt {
            vec![Message::text(Role::System, system), Message::text(Role::User, user)]
        } else {
            vec![Message::text(Role::User, format!("{system}\n\n{user}"))]
        };
    }

    /// What a response means: an answer, or more work.
    async fn take_turn(&mut self, response: ModelResponse) -> Result<Option<String>, Stop> {
        if !response.tool_calls.is_empty() {
            self.bad_answers = 0;
            self.run_calls(response).await?;
            return Ok(None);
        }
        if self.tools.is_empty() {
            return self.accept(response.text);
        }
        match read_text(&response.text, &self.tools) {
            Reading::Action { said, tool, arguments } => {
                self.bad_answers = 0;
                self.run_text_action(said, tool, arguments).await?;
                Ok(None)
            }
            Reading::Answer(answer) => self.accept(answer),
            Reading::Unexecuted => {
                self.reject(&response.text, prompts::unexecuted_action())?;
                Ok(None)
            }
        }
    }

    /// Takes an answer, unless it is empty.
    fn accept(&mut self, answer: String) -> Result<Option<String>, Stop> {
        if answer.trim().is_empty() {
            self.reject(&answer, prompts::empty_answer())?;
            return Ok(None);
        }
        self.messages.push(Message::text(Role::Assistant, answer.clone()));
        Ok(Some(answer))
    }

    /// Sends an answer back, a bounded number of times.
    fn reject(&mut self, answer: &str, reason: &str) -> Result<(), Stop> {
        self.bad_answers += 1;
        if self.bad_answers > MAX_REPAIRS {
            return Err(Stop::provider(format!("the model gave no acceptable answer after {MAX_REPAIRS} repairs: {reason}")));
        }
        if !answer.is_empty() {
            self.messages.push(Message::text(Role::Assistant, answer));
        }
        self.messages.push(Message::text(Role::User, reason));
        Ok(())
    }

    /// All calls of a turn begin together and run at the same time.
    async fn run_calls(&mut self, response: ModelResponse) -> Result<(), Stop> {
        let calls = response.tool_calls;
        let answers = self.call_tools(&calls).await?;
        let ids: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
        self.messages.push(Message { role: Role::Assistant, content: response.text, tool_calls: calls, tool_call_id: None });
        for (id, answer) in ids.into_iter().zip(answers) {
            self.note(&answer)?;
            self.messages.push(Message::tool_result(id, answer.text));
        }
        Ok(())
    }

    async fn run_text_action(&mut self, said: String, tool: String, arguments: String) -> Result<(), Stop> {
        let call = ToolCall { id: format!("text_{}", self.turn), name: tool, arguments };
        let answers = self.call_tools(std::slice::from_ref(&call)).await?;
        self.messages.push(Message::text(Role::Assistant, said));
        for answer in answers {
            self.note(&answer)?;
            self.messages.push(Message::text(Role::User, react::observation(&answer.text)));
        }
        Ok(())
    }

    async fn call_tools(&self, calls: &[ToolCall]) -> Result<Vec<ToolAnswer>, Stop> {
        let turn = self.path.turn(self.turn.saturating_sub(1));
        Box::pin(call_tools(self.context, self.agent, &self.tools, &turn, calls)).await
    }

    /// Counts calls that could not even be made, so that a model cannot go on with them for ever.
    fn note(&mut self, answer: &ToolAnswer) -> Result<(), Stop> {
        if !answer.invalid_call {
            self.invalid_calls = 0;
            return Ok(());
        }
        self.invalid_calls += 1;
        if self.invalid_calls > MAX_REPAIRS {
            let message = format!("the model called tools with unacceptable arguments {} times in a row", self.invalid_calls);
            let failure = Failure::new(FailureClass::ToolError, ErrorCode::ProviderFailed.as_str(), message);
            return Err(failure.with_details(json!({"reason": "tool_arguments_invalid"})).into());
        }
        Ok(())
    }

    /// After the last turn: one call without tools that demands an answer, and a bounded number of repairs.
    async fn forced_answer(&mut self) -> Result<String, Stop> {
        for _ in 0..=MAX_REPAIRS {
            self.messages.push(Message::text(Role::User, prompts::answer_now()));
            let response = self.ask(ToolChoice::None, None).await?;
            if !response.text.is_empty() {
                self.messages.push(Message::text(Role::Assistant, response.text.clone()));
            }
            if let Reading::Answer(answer) = read_text(&response.text, &self.tools)
                && !answer.trim().is_empty()
            {
                return Ok(answer);
            }
        }
        let message = format!("the model gave no answer within its {} turns", self.turns());
        let failure = Failure::new(FailureClass::ProviderError, ErrorCode::ProviderFailed.as_str(), message);
        Err(Stop::Incomplete(IncompleteReason::Steps, Box::new(failure)))
    }

    fn turns(&self) -> u32 {
        self.agent.max_iter.min(self.context.engine.limits.max_iterations).max(1)
    }

    /// Whether somebody has sent a message that the next turn would hear: the answer does not know of it yet.
    fn was_spoken_to(&self) -> bool {
        let heard = self.path.turn(self.turn).input(0);
        let recorded = self.context.journal.recorded();
        matches!(recorded.find(&heard), Recorded::Finished(_))
            || (!self.context.is_replay() && self.context.control.has_message())
    }

    /// Puts messages that were sent to the run into the conversation, each at the turn at which it was first heard.
    fn hear_messages(&mut self) -> Result<(), Stop> {
        let turn = self.path.turn(self.turn);
        for index in 0.. {
            let path = turn.input(index);
            let Some(text) = heard(self.context, self.agent, &turn, &path)? else { break };
            self.messages.push(Message::text(Role::User, text));
        }
        Ok(())
    }

    /// One model call, with the conversation shortened first where it is too long.
    async fn ask(&mut self, choice: ToolChoice, format: Option<ResponseFormat>) -> Result<ModelResponse, Stop> {
        self.hear_messages()?;
        self.shorten_if_needed().await?;
        let mut overflowed = false;
        loop {
            let path = self.path.turn(self.turn);
            self.turn += 1;
            let request = self.request(&path, choice, format.clone());
            let failure = match call_model(self.context, self.agent, &path, request).await {
                Ok(response) => return Ok(response),
                Err(CallFailure::Stop(stop)) => return Err(stop),
                Err(CallFailure::Model { error, stop }) => (error, stop),
            };
            match failure {
                (error, _) if error.kind == ModelErrorKind::ContextLength && self.agent.respect_context_window && !overflowed => {
                    overflowed = true;
                    self.shorten().await?;
                }
                (error, _)
                    if self.mode == ToolMode::Native && refuses_tools(&error.kind, &error.message) && !self.tools.is_empty() =>
                {
                    self.mode = ToolMode::Text;
                    self.open_conversation();
                }
                (_, stop) => return Err(stop),
            }
        }
    }

    async fn shorten_if_needed(&mut self) -> Result<(), Stop> {
        if !self.agent.respect_context_window {
            return Ok(());
        }
        let window = window_of(self.agent.llm.as_ref(), self.context.engine.model.default_model());
        // CrewAI's usable share of a window.
        let usable = window / 100 * 85;
        if estimate_tokens(&self.messages) > usable { self.shorten().await } else { Ok(()) }
    }

    async fn shorten(&mut self) -> Result<(), Stop> {
        let window = window_of(self.agent.llm.as_ref(), self.context.engine.model.default_model());
        let messages = std::mem::take(&mut self.messages);
        let mut request = self.request(&self.path, ToolChoice::None, None);
        request.tools = Arc::from([]);
        let compacted =
            Box::pin(compact(self.context, self.agent, &self.path, &mut self.turn, request, messages, window)).await?;
        self.messages = compacted;
        Ok(())
    }

    fn request(&self, path: &StepPath, choice: ToolChoice, response_format: Option<ResponseFormat>) -> Box<ModelRequest> {
        let llm = self.agent.llm.as_ref();
        let mut stop = llm.map(|llm| llm.stop.clone()).unwrap_or_default();
        if self.mode == ToolMode::Text {
            stop.push(react::OBSERVATION_STOP.to_owned());
        }
        let native = self.mode == ToolMode::Native;
        Box::new(ModelRequest {
            model: llm.map(|llm| llm.model.clone()),
            messages: self.messages.clone(),
            tools: if native { self.tools.clone() } else { Arc::from([]) },
            tool_choice: choice,
            response_format,
            sampling: Sampling {
                temperature: llm.and_then(|llm| llm.temperature),
                top_p: llm.and_then(|llm| llm.top_p),
                max_tokens: self.agent.max_tokens.or(llm.and_then(|llm| llm.max_tokens)),
                stop,
                seed: llm.and_then(|llm| llm.seed),
            },
            stream: llm.and_then(|llm| llm.stream).unwrap_or(true),
            time_limit: self.context.step_time(self.context.engine.limits.model_time),
            idempotency_key: self.context.journal.idempotency_key(path),
            labels: self.labels.clone(),
        })
    }
}

/// A message that is in the journal for this place, or the next one that was sent, which is put there now.
fn heard(context: &RunContext, agent: &AgentDefinition, turn: &StepPath, path: &StepPath) -> Result<Option<String>, Stop> {
    let recorded = context.journal.recorded();
    if let Recorded::Finished(step) = recorded.find(path) {
        let text = step.output.as_ref().and_then(|output| output.get("text")).and_then(Value::as_str);
        let gone = || Stop::journal_mismatch(format!("the message {path} cannot be read"));
        return text.map(|text| Some(text.to_owned())).ok_or_else(gone);
    }
    // A turn that was taken before has heard what there was to hear.
    if context.is_replay() || !matches!(recorded.find(turn), Recorded::Nothing) {
        return Ok(None);
    }
    let Some(message) = context.control.take_message() else { return Ok(None) };
    let data = json!({"message": "a message was heard", "text": message.text});
    let intent = StepIntent {
        path: path.clone(),
        kind: StepKind::Wait,
        name: "message".to_owned(),
        agent: agent.name.clone(),
        effect: EffectClass::ReadOnly,
        input_hash: crewd_application::sha256_hex(&message.text),
        announcement: EventDraft::of_step(EventKind::Log, path.clone(), data),
    };
    context.journal.settle(intent, json!({"text": message.text}));
    context.journal.controls_applied(vec![message.order]);
    Ok(Some(message.text))
}

/// Whether a provider says that the model has no tool calls, so that the text form is worth a try.
fn refuses_tools(kind: &ModelErrorKind, message: &str) -> bool {
    let message = message.to_lowercase();
    *kind == ModelErrorKind::InvalidRequest
        && message.contains("tool")
        && (message.contains("support") || message.contains("not enabled"))
}
