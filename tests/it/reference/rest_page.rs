//! What lives here: the page of the REST API, made from the OpenAPI document.
//! What is always true: operations and schemas stand in the document's own order, and each schema that is named is told.
//! What is not here: reading and writing files, and the GraphQL pages. (`Value` is the GraphQL library's, since it keeps
//! the order of keys.)

use std::collections::BTreeMap;

use async_graphql::Value;

use super::markdown::Page;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page of the REST API.
pub(crate) fn page(openapi: &Value) -> String {
    let mut page = Page::new("REST", text(openapi, &["info", "description"]));
    let mut shared = BTreeMap::new();
    page.list(operations(openapi).map(|(title, operation)| {
        format!("[{title}](#{}): {}.", anchor(&title), text(operation, &["summary"]))
    }));
    for (title, operation) in operations(openapi) {
        write_operation(&mut page, &title, operation);
        shared.extend(fields(operation, &["responses"]).filter_map(|(status, response)| {
            Some((status, text(response, &["$ref"]).strip_prefix("#/components/responses/")?))
        }));
    }
    page.heading(2, "Refusals");
    page.paragraph("What operations have in common; each names those that it may answer with.");
    page.list(shared.into_iter().map(|(status, name)| {
        format!("{status}: {}", text(openapi, &["components", "responses", name, "description"]))
    }));
    for (name, schema) in fields(openapi, &["components", "schemas"]) {
        write_schema(&mut page, openapi, name, schema);
    }
    page.finish()
}

/// Every operation under the name that it has on the page, such as `POST /api/v1/orders`.
fn operations(openapi: &Value) -> impl Iterator<Item = (String, &Value)> {
    fields(openapi, &["paths"]).flat_map(|(path, item)| {
        let of_path = METHODS.iter().filter_map(move |method| Some((method, at(item, &[method])?)));
        of_path.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

/// A heading's anchor, as code hosts make it: small letters, without punctuation, hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn write_operation(page: &mut Page, title: &str, operation: &Value) {
    page.heading(2, title);
    page.paragraph(&format!("{}. {}", text(operation, &["summary"]), text(operation, &["description"])));
    page.list(list(operation, "parameters").iter().map(|parameter| {
        let place = text(parameter, &["in"]);
        let schema = at(parameter, &["schema"]).map_or_else(String::new, kind);
        format!(
            "`{}` in the {place}, {schema}: {}",
            text(parameter, &["name"]),
            text(parameter, &["description"])
        )
    }));
    if let Some(body) = fields(operation, &["requestBody", "content"]).next() {
        page.paragraph(&format!(
            "Takes {}: {}",
            content(body),
            text(operation, &["requestBody", "description"])
        ));
    }
    let (shared, own): (Vec<_>, Vec<_>) =
        fields(operation, &["responses"]).partition(|(_, response)| at(response, &["$ref"]).is_some());
    page.paragraph("Answers:");
    page.list(own.into_iter().map(|(status, response)| {
        let answer = fields(response, &["content"]).next().map(|body| format!(" {}", content(body)));
        format!("{status}{}: {}", answer.unwrap_or_default(), text(response, &["description"]))
    }));
    if !shared.is_empty() {
        let statuses: Vec<_> = shared.into_iter().map(|(status, _)| status).collect();
        page.paragraph(&format!("Or one of the [refusals](#refusals) {}.", statuses.join(", ")));
    }
}

fn write_schema(page: &mut Page, openapi: &Value, name: &str, schema: &Value) {
    page.heading(2, name);
    page.paragraph(text(schema, &["description"]));
    if let Some(Value::List(values)) = at(schema, &["enum"]) {
        let words: Vec<_> = values.iter().map(|value| format!("`{}`", plain(value))).collect();
        page.paragraph(&format!("One of {}.", words.join(", ")));
    }
    let required = list(schema, "required");
    page.list(fields(schema, &["properties"]).map(|(field, of)| {
        let presence = if required.iter().any(|name| plain(name) == field) { "" } else { ", may be absent" };
        let own = text(of, &["description"]);
        // A member that says nothing of itself is what its schema says.
        let named = text(of, &["$ref"]).trim_start_matches("#/components/schemas/");
        let described = if own.is_empty() {
            text(openapi, &["components", "schemas", named, "description"])
        } else {
            own
        };
        format!("`{field}` {}{presence}: {described}", kind(of))
    }));
}

/// What a body is, with its media type where that is not plain JSON.
fn content((media, of): (&str, &Value)) -> String {
    let schema = at(of, &["schema"]).map_or_else(String::new, kind);
    if media == "application/json" { schema } else { format!("{schema} as `{media}`") }
}

/// A schema in a few words, with a link if it has a name.
fn kind(schema: &Value) -> String {
    let reference = text(schema, &["$ref"]);
    if let Some(name) = reference.strip_prefix("#/components/schemas/") {
        return format!("[`{name}`](#{})", name.to_lowercase());
    }
    if let Some(Value::List(choices)) = at(schema, &["oneOf"]).or_else(|| at(schema, &["anyOf"])) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let words = match at(schema, &["type"]) {
        Some(Value::List(kinds)) => kinds.iter().map(plain).collect::<Vec<_>>().join(" or "),
        Some(of) if plain(of) == "array" => {
            format!("list of {}", at(schema, &["items"]).map_or_else(String::new, kind))
        }
        Some(of) => plain(of),
        None => "anything".to_owned(),
    };
    match text(schema, &["format"]) {
        "" => words,
        format => format!("{words} ({format})"),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(fields) => fields.get(*step),
        _ => None,
    })
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    match at(value, path) {
        Some(Value::String(text)) => text,
        _ => "",
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    match at(value, &[field]) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn fields<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let fields = match at(value, path) {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    };
    fields.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
