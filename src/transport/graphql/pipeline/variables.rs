//! Step 6: the values of variables, coerced to the types that the operation declares.
//!
//! Lives here: [`coerce`].
//! Always true: what comes out fits the contract (custom scalars excepted, which their resolvers read), with defaults
//! filled in; a variable that was not given and has no default stays absent, which is not the same as null.
//! Not here: literals in the document (validate.rs).

use apollo_compiler::Schema;
use apollo_compiler::ast::{Type, Value as Literal};
use apollo_compiler::executable::Operation;
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value, Variables};
use serde_json::{Map, Number, Value as Json};

use super::contract::Contract;
use super::refusal::{FAULTS, Fault, Refusal};
use crate::problem::ErrorCode;
use crate::transport::graphql::types::scalar_fault;

/// Coerces the given values to the variables of an operation. Values for variables that the operation does not declare
/// are left out.
///
/// # Errors
///
/// BAD_USER_INPUT, one fault a wrong value, naming it by its path (`input.quantity`).
pub fn coerce(
    contract: &Contract,
    operation: &Operation,
    mut given: Map<String, Json>,
) -> Result<Variables, Refusal> {
    let mut coercion = Coercion { schema: contract.schema(), path: Vec::new(), faults: Vec::new() };
    let mut variables = Variables::default();
    for definition in &operation.variables {
        let name = definition.name.as_str();
        coercion.path.push(name.to_owned());
        let value = match (given.remove(name), &definition.default_value) {
            (Some(value), _) => coercion.value(&definition.ty, value),
            (None, Some(default)) => coercion.default(&definition.ty, default),
            (None, None) if definition.ty.is_non_null() => {
                coercion.fault(&format!("a value of type {} is required", definition.ty));
                None
            }
            (None, None) => None,
        };
        coercion.path.pop();
        if let Some(value) = value {
            variables.insert(Name::new(name), value);
        }
    }
    if coercion.faults.is_empty() {
        return Ok(variables);
    }
    Err(Refusal::of_faults(ErrorCode::BadUserInput, coercion.faults))
}

struct Coercion<'a> {
    schema: &'a Schema,
    path: Vec<String>,
    faults: Vec<Fault>,
}

impl Coercion<'_> {
    /// The value at a place of the given type; `None` after a fault.
    fn value(&mut self, ty: &Type, value: Json) -> Option<Value> {
        if value.is_null() {
            if ty.is_non_null() {
                self.fault(&format!("null is not a value of type {ty}"));
                return None;
            }
            return Some(Value::Null);
        }
        match ty {
            Type::List(inner) | Type::NonNullList(inner) => self.list(inner, value),
            Type::Named(name) | Type::NonNullNamed(name) => self.named(name, value),
        }
    }

    fn list(&mut self, inner: &Type, value: Json) -> Option<Value> {
        // A single value stands for a list of one.
        let Json::Array(items) = value else { return Some(Value::List(vec![self.value(inner, value)?])) };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            self.path.push(index.to_string());
            list.extend(self.value(inner, item));
            self.path.pop();
            if self.faults.len() >= FAULTS {
                return None;
            }
        }
        Some(Value::List(list))
    }

    fn named(&mut self, name: &str, value: Json) -> Option<Value> {
        let schema = self.schema;
        match schema.types.get(name)? {
            ExtendedType::InputObject(input) => match value {
                Json::Object(members) => self.object(input, members),
                _ => self.mismatch(name),
            },
            ExtendedType::Enum(definition) => match value {
                Json::String(text) if definition.values.contains_key(text.as_str()) => {
                    Some(Value::Enum(Name::new(text)))
                }
                _ => {
                    let words: Vec<&str> = definition.values.keys().map(|word| word.as_str()).collect();
                    self.fault(&format!(
                        "the value is not of type {name}: it must be one of {}",
                        words.join(", ")
                    ));
                    None
                }
            },
            _ => self.scalar(name, value),
        }
    }

    fn scalar(&mut self, name: &str, value: Json) -> Option<Value> {
        let fits = match (name, &value) {
            ("Int", Json::Number(number)) => return self.int(number),
            ("ID", Json::Number(number)) if number.is_i64() || number.is_u64() => {
                return Some(Value::String(number.to_string()));
            }
            ("Float", Json::Number(_)) | ("String" | "ID", Json::String(_)) | ("Boolean", Json::Bool(_)) => {
                true
            }
            ("Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
            _ => true,
        };
        if !fits {
            return self.mismatch(name);
        }
        // A JSON value always is a GraphQL value: there are no binary members in it.
        let value = Value::from_json(value).ok()?;
        // Read here, where the path is known: the library would not name the field.
        if let Some(what) = scalar_fault(name, &value) {
            self.fault(&what);
            return None;
        }
        Some(value)
    }

    fn int(&mut self, number: &Number) -> Option<Value> {
        let whole = number.as_i64().or_else(|| whole(number.as_f64()?));
        match whole.and_then(|number| i32::try_from(number).ok()) {
            Some(number) => Some(Value::from(number)),
            None => {
                self.fault(&format!("{number} is not an Int (a whole number of 32 bits)"));
                None
            }
        }
    }

    fn object(&mut self, input: &InputObjectType, mut members: Map<String, Json>) -> Option<Value> {
        let mut object = IndexMap::with_capacity(input.fields.len());
        let faults = self.faults.len();
        let given = members.len();
        for (name, field) in &input.fields {
            self.path.push(name.to_string());
            let value = match (members.remove(name.as_str()), &field.default_value) {
                (Some(value), _) => self.value(&field.ty, value),
                (None, Some(default)) => self.default(&field.ty, default),
                (None, None) if field.ty.is_non_null() => {
                    self.fault(&format!("a value of type {} is required", field.ty));
                    None
                }
                (None, None) => None,
            };
            self.path.pop();
            if let Some(value) = value {
                object.insert(Name::new(name), value);
            }
        }
        for unknown in members.keys() {
            self.path.push(unknown.chars().take(64).collect());
            self.fault(&format!("{} has no such field", input.name));
            self.path.pop();
        }
        let one = given == 1 && object.values().all(|value| *value != Value::Null);
        if Contract::is_one_of(input) && !one {
            self.fault(&format!("exactly one field of {} must be given, and not as null", input.name));
        }
        (self.faults.len() == faults).then_some(Value::Object(object))
    }

    /// A default from the contract or the document, both of which are validated.
    fn default(&mut self, ty: &Type, literal: &Literal) -> Option<Value> {
        let json = json(literal)?;
        self.value(ty, json)
    }

    fn mismatch(&mut self, name: &str) -> Option<Value> {
        self.fault(&format!("the value is not of type {name}"));
        None
    }

    fn fault(&mut self, what: &str) {
        if self.faults.len() < FAULTS {
            self.faults.push(Fault::of_value(&self.path, what));
        }
    }
}

/// A literal without variables, as JSON; enum values become strings, as in variables.
fn json(literal: &Literal) -> Option<Json> {
    Some(match literal {
        Literal::Null => Json::Null,
        Literal::Enum(name) => Json::String(name.to_string()),
        Literal::String(text) => Json::String(text.clone()),
        Literal::Boolean(value) => Json::Bool(*value),
        Literal::Int(number) => Json::Number(number.as_str().parse().ok()?),
        Literal::Float(number) => Json::Number(number.as_str().parse().ok()?),
        Literal::List(items) => Json::Array(items.iter().map(|item| json(item)).collect::<Option<_>>()?),
        Literal::Object(members) => {
            let members = members.iter().map(|(name, value)| Some((name.to_string(), json(value)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
        Literal::Variable(_) => return None,
    })
}

/// The whole number that a JSON number like `1.0` stands for: graphql-js takes it for an Int.
fn whole(number: f64) -> Option<i64> {
    let text = number.to_string();
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use apollo_compiler::ExecutableDocument;
    use serde_json::json;

    use super::*;

    const SDL: &str = "
        type Query { a(in: In, one: One, e: E, ids: [ID!], f: Float, b: Boolean, any: Any, n: Int): Int }
        input In { quantity: Int! name: String = \"x\" list: [Int!] inner: In }
        input One @oneOf { phone: String playerId: String }
        enum E { RED GREEN }
        scalar Any
    ";

    fn run(declaration: &str, values: Json) -> Result<Json, Vec<(String, String)>> {
        let contract = Contract::parse(SDL).unwrap();
        let uses: String = ["in", "one", "e", "ids", "f", "b", "any", "n"]
            .iter()
            .filter(|name| declaration.contains(&format!("${name}:")))
            .map(|name| format!("{name}: ${name} "))
            .collect();
        let text = format!("query ({declaration}) {{ a({uses}) }}");
        let document = ExecutableDocument::parse_and_validate(contract.schema(), text, "x").unwrap();
        let operation = document.operations.anonymous.as_ref().unwrap();
        let Json::Object(values) = values else { panic!("variables are an object") };
        match coerce(&contract, operation, values) {
            Ok(variables) => Ok(serde_json::to_value(variables).unwrap()),
            Err(refusal) => {
                assert_eq!(refusal.code, ErrorCode::BadUserInput);
                Err(refusal.faults.into_iter().map(|fault| (fault.field.join("."), fault.message)).collect())
            }
        }
    }

    #[test]
    fn coerces_and_fills_defaults() {
        for (declaration, given, coerced) in [
            ("$in: In", json!({"in": {"quantity": 1}}), json!({"in": {"quantity": 1, "name": "x"}})),
            (
                "$in: In",
                json!({"in": {"quantity": 1.0, "list": 7}}),
                json!({"in": {"quantity": 1, "name": "x", "list": [7]}}),
            ),
            ("$in: In", json!({}), json!({})),
            ("$in: In", json!({"in": null}), json!({"in": null})),
            ("$n: Int = 5", json!({}), json!({"n": 5})),
            ("$n: Int = 5", json!({"n": null}), json!({"n": null})),
            ("$e: E = RED", json!({}), json!({"e": "RED"})),
            ("$ids: [ID!]", json!({"ids": [1, "b"]}), json!({"ids": ["1", "b"]})),
            ("$ids: [ID!]", json!({"ids": "b"}), json!({"ids": ["b"]})),
            ("$f: Float", json!({"f": 1}), json!({"f": 1})),
            ("$any: Any", json!({"any": {"x": [1, null]}}), json!({"any": {"x": [1, null]}})),
            ("$one: One", json!({"one": {"phone": "+1"}}), json!({"one": {"phone": "+1"}})),
            ("$b: Boolean", json!({"b": true, "stranger": 1}), json!({"b": true})),
        ] {
            assert_eq!(run(declaration, given.clone()), Ok(coerced), "{declaration} {given}");
        }
    }

    #[test]
    fn names_the_wrong_value() {
        for (declaration, given, field) in [
            ("$in: In!", json!({}), "in"),
            ("$in: In!", json!({"in": null}), "in"),
            ("$in: In", json!({"in": 7}), "in"),
            ("$in: In", json!({"in": {}}), "in.quantity"),
            ("$in: In", json!({"in": {"quantity": "1"}}), "in.quantity"),
            ("$in: In", json!({"in": {"quantity": 1.5}}), "in.quantity"),
            ("$in: In", json!({"in": {"quantity": 3_000_000_000_i64}}), "in.quantity"),
            ("$in: In", json!({"in": {"quantity": 1, "list": [1, null]}}), "in.list.1"),
            ("$in: In", json!({"in": {"quantity": 1, "inner": {"quantity": true}}}), "in.inner.quantity"),
            ("$in: In", json!({"in": {"quantity": 1, "stranger": 1}}), "in.stranger"),
            ("$e: E", json!({"e": "BLUE"}), "e"),
            ("$e: E", json!({"e": 1}), "e"),
            ("$ids: [ID!]", json!({"ids": [true]}), "ids.0"),
            ("$f: Float", json!({"f": "1"}), "f"),
            ("$b: Boolean", json!({"b": 1}), "b"),
            ("$one: One", json!({"one": {}}), "one"),
            ("$one: One", json!({"one": {"phone": null}}), "one"),
            ("$one: One", json!({"one": {"phone": "+1", "playerId": "x"}}), "one"),
            ("$one: One", json!({"one": {"phone": "+1", "playerId": null}}), "one"),
        ] {
            let faults = run(declaration, given.clone()).unwrap_err();
            assert_eq!(faults[0].0, field, "{declaration} {given}: {faults:?}");
        }
    }

    #[test]
    fn tells_at_most_ten_faults() {
        let many = json!({"in": {"quantity": 1, "list": vec!["x"; 5_000]}});
        assert_eq!(run("$in: In", many).unwrap_err().len(), 10);
    }
}
