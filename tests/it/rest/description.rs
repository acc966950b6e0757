//! The description and the routes are of each other.

use std::collections::BTreeSet;

use octopus_cards::problem::ErrorCode;
use octopus_cards::transport::rest::{Door, OPENAPI, ROUTES, Verb};
use reqwest::Method;
use serde_json::Value;

use super::shape::Description;
use crate::support::answer::Answer;

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
    }
}

#[test]
fn every_route_is_described_and_every_description_has_a_route() {
    let description = Description::read();
    let described: BTreeSet<String> =
        description.operations().iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let routed: BTreeSet<String> =
        ROUTES.iter().map(|route| format!("{} {}", verb(route.verb), route.path)).collect();
    assert_eq!(described, routed);
}

#[test]
fn every_operation_takes_what_its_description_says() {
    let description = Description::read();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    for (method, path, operation) in description.operations() {
        let route = ROUTES
            .iter()
            .find(|route| route.path == path && verb(route.verb) == method)
            .unwrap_or_else(|| panic!("{method} {path} has no route"));
        let parameters: BTreeSet<String> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(parameters, names(route.parameters), "{method} {path}");
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let members = description.resolve(body)["properties"].as_object();
        let members: Option<BTreeSet<String>> = members.map(|members| members.keys().cloned().collect());
        assert_eq!(members, route.members.map(names), "{method} {path}");
        assert_eq!(operation["security"].is_array(), route.door != Door::SignedIn, "{method} {path}");
    }
}

#[test]
fn everything_that_is_described_is_described_in_words() {
    let description = Description::read();
    for (method, path, operation) in description.operations() {
        for member in ["operationId", "summary", "description"] {
            assert!(operation[member].is_string(), "{method} {path} has no {member}");
        }
    }
    let mut broken = Vec::new();
    walk(&description, description.document(), "", &mut broken);
    assert!(broken.is_empty(), "no description: {broken:#?}");
}

/// Finds schemas, members, parameters and responses without a description, and references that lead nowhere.
fn walk(description: &Description, value: &Value, at: &str, broken: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("$ref") {
                description.resolve(value);
            }
            for name in ["properties", "schemas", "responses"] {
                for (member, of) in members.get(name).and_then(Value::as_object).into_iter().flatten() {
                    if of.is_object() && !of["description"].is_string() && of.get("$ref").is_none() {
                        broken.push(format!("{at}.{name}.{member}"));
                    }
                }
            }
            for parameter in members.get("parameters").and_then(Value::as_array).into_iter().flatten() {
                if !parameter["description"].is_string() {
                    broken.push(format!("{at}.parameters.{}", parameter["name"]));
                }
            }
            for (name, inner) in members {
                walk(description, inner, &format!("{at}.{name}"), broken);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                walk(description, inner, &format!("{at}.{index}"), broken);
            }
        }
        _ => {}
    }
}

#[test]
fn every_code_is_one_of_the_contract() {
    let description = Description::read();
    let known: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let codes = description.document()["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
    for code in codes {
        assert!(known.contains(&code.as_str().unwrap()), "{code} is no code of the contract");
    }
}

both_databases! {
    async fn the_description_is_served_to_everybody(app: SmallCatalog) {
        let answer = app.client.rest(Method::GET, "/openapi.json", "", &Value::Null).await;
        answer.expect_status(200);
        Description::read().check("GET", "/openapi.json", &answer);
        assert_eq!(answer.body, serde_json::from_str::<Value>(OPENAPI).unwrap());
    }

    async fn every_described_operation_is_there_and_needs_a_token_unless_it_says_so(app: SmallCatalog) {
        for (method, path, operation) in Description::read().operations() {
            let address = path.replace("{id}", "ord_none");
            let request = app.client.request(method.parse().unwrap(), &address);
            let request = request.header("content-type", "application/json").body("{}");
            let answer = Answer::read(request.send().await.unwrap()).await;
            Description::read().check(&method, &path, &answer);
            if operation["security"].is_null() {
                answer.expect_problem(401, "UNAUTHENTICATED");
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            } else {
                assert_ne!(answer.body["code"], "UNAUTHENTICATED", "{answer:#?}");
            }
        }
    }
}
