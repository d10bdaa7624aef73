//! What the texts themselves can get wrong.

use std::collections::BTreeSet;

use super::rule::{INVALID_CHARACTERS, NOT_A_PLACEHOLDER, UNUSED_INPUT};
use crate::crews::{CrewDefinition, Problem, closest, excerpt, placeholders::almost_placeholders};

pub(super) fn check(crew: &CrewDefinition, problems: &mut Vec<Problem>) {
    let names = crew.placeholders();
    let known: BTreeSet<String> = names.iter().chain(crew.inputs.keys()).cloned().collect();
    for (element, text) in crew.texts() {
        if text.contains('\0') {
            let message = "the text holds a NUL character";
            problems.push(Problem::error(element.as_str(), INVALID_CHARACTERS, message));
        }
        for braces in almost_placeholders(text, &known) {
            let message = format!("`{}` is plain text, not a placeholder", excerpt(&braces));
            let advice = "a placeholder is {name}: ASCII letters, digits, `_` and `-`, no blanks";
            problems.push(Problem::warning(element.as_str(), NOT_A_PLACEHOLDER, message).suggest(advice));
        }
    }
    for name in crew.inputs.keys().filter(|name| !names.contains(*name)) {
        let message = format!("no text asks for input `{}`", excerpt(name));
        let problem = Problem::warning(format!("inputs.{name}"), UNUSED_INPUT, message);
        problems.push(match closest(name, names.iter().map(String::as_str)) {
            Some(near) => problem.suggest(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
}
