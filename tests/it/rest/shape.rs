//! Whether an answer is what `openapi.json` says.
//! Always true: an object may have no member that is not described, so that the description cannot fall behind.
//! Not here: which answers are looked at.

use octopus_cards::transport::rest::OPENAPI;
use serde_json::Value;

use crate::support::answer::Answer;

/// The facade's own description.
pub struct Description(Value);

impl Description {
    /// As the server serves it.
    pub fn read() -> Self {
        Self(serde_json::from_str(OPENAPI).expect("openapi.json is JSON"))
    }

    /// The whole document.
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// Every operation: method in capitals, path, operation.
    pub fn operations(&self) -> Vec<(String, String, &Value)> {
        let paths = self.0["paths"].as_object().expect("there are paths");
        let of = |(path, item): (&String, &'_ Value)| {
            let operations = item.as_object().expect("a path has operations").clone();
            operations.into_iter().map(|(method, _)| (method, path.clone())).collect::<Vec<_>>()
        };
        let named: Vec<(String, String)> = paths.iter().flat_map(of).collect();
        named
            .into_iter()
            .map(|(method, path)| {
                let operation = &self.0["paths"][&path][&method];
                (method.to_uppercase(), path, operation)
            })
            .collect()
    }

    /// What a reference leads to.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        let pointer = reference.strip_prefix('#').expect("references stay inside the document");
        self.0.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// Asserts that an answer of this operation is described: its status, its media type, its body.
    #[track_caller]
    pub fn check(&self, method: &str, address: &str, answer: &Answer) {
        let path = address.split('?').next().unwrap_or(address);
        let found =
            self.operations().into_iter().find(|(verb, template, _)| verb == method && fits(template, path));
        let (_, _, operation) = found.unwrap_or_else(|| panic!("{method} {path} is not described"));
        let status = answer.status.as_u16().to_string();
        let response = self.resolve(&operation["responses"][&status]);
        let content = response["content"].as_object();
        let content =
            content.unwrap_or_else(|| panic!("{method} {path} may not answer {status}: {answer:#?}"));
        let media = answer.header("content-type");
        let body =
            content.get(media).unwrap_or_else(|| panic!("{method} {path} {status} may not be {media}"));
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:#?}");
        if let Err(wrong) = self.conforms(&body["schema"], &answer.body, "body") {
            panic!("{method} {path} {status}: {wrong}\n{answer:#?}");
        }
    }

    fn conforms(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = self.resolve(schema);
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting = choices.iter().filter(|choice| self.conforms(choice, value, at).is_ok()).count();
            let why = || {
                choices.iter().filter_map(|choice| self.conforms(choice, value, at).err()).collect::<Vec<_>>()
            };
            return if fitting == 1 { Ok(()) } else { Err(format!("{at} fits {fitting} of {:?}", why())) };
        }
        self.has_type(schema, value, at)?;
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            return Err(format!("{at}: {value} is none of {words:?}"));
        }
        match value {
            Value::Object(members) => {
                for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if !members.contains_key(name) {
                        return Err(format!("{at}.{name} is missing"));
                    }
                }
                for (name, value) in members {
                    match schema["properties"].get(name) {
                        Some(schema) => self.conforms(schema, value, &format!("{at}.{name}"))?,
                        None if schema["additionalProperties"] == true => {}
                        None => return Err(format!("{at}.{name} is not described")),
                    }
                }
                Ok(())
            }
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.conforms(&schema["items"], item, &format!("{at}.{index}"))
            }),
            Value::String(text) => has_form(schema, text, at),
            _ => Ok(()),
        }
    }

    fn has_type(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let is = |kind: &str| match kind {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "null" => value.is_null(),
            other => panic!("the check does not know the type {other}"),
        };
        let fits = match &schema["type"] {
            Value::String(kind) => is(kind),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
            _ => return Err(format!("{at} has no described type")),
        };
        if fits { Ok(()) } else { Err(format!("{at}: {value} is no {}", schema["type"])) }
    }
}

/// The forms that the description uses: instants, and patterns of digits or capitals.
fn has_form(schema: &Value, text: &str, at: &str) -> Result<(), String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let capitals = |count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let fits = match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("date-time"), _) => {
            let parsed = text.parse::<entity::timestamp::Timestamp>();
            parsed.is_ok_and(|instant| instant.to_string() == text)
        }
        (_, Some("^-?[0-9]+(\\.[0-9]+)?$")) => text.trim_start_matches('-').splitn(2, '.').all(digits),
        (_, Some("^[0-9]+$")) => digits(text),
        (_, Some("^[A-Z]{3}$")) => capitals(3),
        (_, Some("^[A-Z]{2}$")) => capitals(2),
        (None, None) => true,
        (format, pattern) => panic!("the check does not know {format:?} {pattern:?}"),
    };
    if fits { Ok(()) } else { Err(format!("{at}: {text} has not the described form")) }
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    wanted.len() == given.len()
        && wanted.iter().zip(&given).all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
}
