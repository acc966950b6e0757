//! The contract that documents are judged by: `schema.graphql`, as a checked schema.
//!
//! Lives here: [`Contract`], and the questions about types that the steps ask it.
//! Always true: the contract compiled into the binary is valid (a test loads it), so that [`Contract::bundled`] holds.
//! Not here: the running async-graphql schema (root.rs), which a test compares with the contract.

use std::collections::HashMap;

use apollo_compiler::ast::Type;
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema};

/// The text of `schema.graphql`.
pub const SDL: &str = include_str!("../../../../schema.graphql");

/// `@oneOf` is built in since the September 2025 edition; apollo-compiler does not know it yet.
const ONE_OF: &str = "directive @oneOf on INPUT_OBJECT";
/// Nor what introspection tells of it, which newer tools ask for.
const IS_ONE_OF: &str = "extend type __Type { isOneOf: Boolean }";

/// A checked schema.
pub struct Contract {
    schema: Valid<Schema>,
    /// Composite type -> the object types that a value of it can have, in the order of the contract.
    possible: HashMap<Name, Vec<Name>>,
}

impl Contract {
    /// The contract of this server.
    ///
    /// # Panics
    ///
    /// Never: `schema.graphql` is compiled in, and a test refuses a broken one.
    #[must_use]
    pub fn bundled() -> Self {
        Self::parse(SDL).expect("schema.graphql is compiled in, and a test loads it")
    }

    /// A contract from a schema text.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, for a developer.
    pub fn parse(sdl: &str) -> Result<Self, String> {
        let one_of = if sdl.contains(ONE_OF) { "" } else { ONE_OF };
        let text = format!("{sdl}\n{one_of}\n{IS_ONE_OF}");
        let schema = Schema::parse_and_validate(text, "schema.graphql").map_err(|error| error.to_string())?;
        let possible = possible_types(&schema);
        Ok(Self { schema, possible })
    }

    /// The schema itself.
    #[must_use]
    pub fn schema(&self) -> &Valid<Schema> {
        &self.schema
    }

    /// The object types that a value of the named type can have; none for scalars and unknown names.
    #[must_use]
    pub fn possible_types(&self, name: &str) -> &[Name] {
        self.possible.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the name is an interface or a union.
    #[must_use]
    pub fn is_abstract(&self, name: &str) -> bool {
        matches!(self.schema.types.get(name), Some(ExtendedType::Interface(_) | ExtendedType::Union(_)))
    }

    /// Whether the name is an object, an interface or a union: something with fields.
    #[must_use]
    pub fn is_composite(&self, name: &str) -> bool {
        self.possible.contains_key(name)
    }

    /// The declared type of a field.
    #[must_use]
    pub fn field_type(&self, parent: &str, field: &str) -> Option<&Type> {
        self.schema.type_field(parent, field).ok().map(|definition| &definition.ty)
    }

    /// The input object of that name, if it is one.
    #[must_use]
    pub fn input_object(&self, name: &str) -> Option<&Node<InputObjectType>> {
        self.schema.get_input_object(name)
    }

    /// Whether exactly one field of this input object is to be given.
    #[must_use]
    pub fn is_one_of(input: &InputObjectType) -> bool {
        input.directives.has("oneOf")
    }
}

fn possible_types(schema: &Schema) -> HashMap<Name, Vec<Name>> {
    let mut possible: HashMap<Name, Vec<Name>> = HashMap::new();
    for (name, definition) in &schema.types {
        match definition {
            ExtendedType::Object(object) => {
                possible.entry(name.clone()).or_default().push(name.clone());
                for interface in &object.implements_interfaces {
                    possible.entry(interface.name.clone()).or_default().push(name.clone());
                }
            }
            ExtendedType::Union(union) => {
                let members = union.members.iter().map(|member| member.name.clone()).collect();
                possible.insert(name.clone(), members);
            }
            ExtendedType::Interface(_) => {
                possible.entry(name.clone()).or_default();
            }
            ExtendedType::Scalar(_) | ExtendedType::Enum(_) | ExtendedType::InputObject(_) => {}
        }
    }
    possible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_contract_is_valid() {
        assert!(Contract::parse(SDL).map(|_| ()).is_ok());
    }

    #[test]
    fn knows_what_introspection_tells_of_one_of() {
        let contract = Contract::parse("type Query { a(in: In): Int } input In @oneOf { x: Int }").unwrap();
        assert_eq!(
            contract.field_type("__Type", "isOneOf").map(ToString::to_string).as_deref(),
            Some("Boolean")
        );
        assert!(Contract::is_one_of(contract.input_object("In").unwrap()));
    }

    #[test]
    fn knows_the_possible_types_of_objects_interfaces_and_unions() {
        let contract = Contract::parse(
            "interface N { id: ID } type A implements N { id: ID } type B implements N { id: ID } \
             union U = B | A type Query { n: N u: U a: A }",
        )
        .unwrap();
        let names =
            |name: &str| contract.possible_types(name).iter().map(Name::to_string).collect::<Vec<_>>();
        assert_eq!(names("N"), ["A", "B"]);
        assert_eq!(names("U"), ["B", "A"]);
        assert_eq!(names("A"), ["A"]);
        assert!(names("ID").is_empty());
        assert!(contract.is_abstract("N") && contract.is_abstract("U") && !contract.is_abstract("A"));
    }
}
