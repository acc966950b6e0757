//! What lives here: the page of the REST API, made from the OpenAPI document.
//! What is always true: operations and schemas stand in the document's own order, and each schema that is named is told.
//! What is not here: reading and writing files, and the GraphQL pages. (`Value` is the GraphQL library's, since it keeps
//! the order of keys.)

use async_graphql::Value;

use super::markdown::Page;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page of the REST API.
pub(crate) fn page(openapi: &Value) -> String {
    let mut page = Page::new("REST", text(openapi, &["info", "description"]));
    for (path, item) in fields(openapi, &["paths"]) {
        for (method, operation) in METHODS.iter().filter_map(|method| Some((method, at(item, &[method])?))) {
            write_operation(&mut page, &format!("{} {path}", method.to_uppercase()), operation);
        }
    }
    for (name, schema) in fields(openapi, &["components", "schemas"]) {
        page.heading(2, name);
        page.paragraph(text(schema, &["description"]));
        if let Some(Value::List(values)) = at(schema, &["enum"]) {
            let words: Vec<_> = values.iter().map(|value| format!("`{}`", plain(value))).collect();
            page.paragraph(&format!("One of {}.", words.join(", ")));
        }
        let required = list(schema, "required");
        page.list(fields(schema, &["properties"]).map(|(field, of)| {
            let presence = if required.iter().any(|name| plain(name) == field) { "" } else { ", may be absent" };
            format!("`{field}` {}{presence}: {}", kind(of), text(of, &["description"]))
        }));
    }
    page.finish()
}

fn write_operation(page: &mut Page, title: &str, operation: &Value) {
    page.heading(2, title);
    page.paragraph(text(operation, &["summary"]));
    page.paragraph(text(operation, &["description"]));
    page.list(list(operation, "parameters").iter().map(|parameter| {
        let place = text(parameter, &["in"]);
        let schema = at(parameter, &["schema"]).map_or_else(String::new, kind);
        format!("`{}` in the {place}, {schema}: {}", text(parameter, &["name"]), text(parameter, &["description"]))
    }));
    if let Some(body) = fields(operation, &["requestBody", "content"]).next() {
        page.paragraph(&format!("Takes {}.", content(body)));
    }
    page.list(fields(operation, &["responses"]).map(|(status, response)| {
        let answer = fields(response, &["content"]).next().map(|body| format!(" {}", content(body)));
        format!("{status}{}: {}", answer.unwrap_or_default(), text(response, &["description"]))
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
