//! What lives here: the pages of the GraphQL reference, made from `schema.graphql` and the ready operations.
//! What is always true: the same input makes the same pages, in the contract's own order; every type links to its entry.
//! What is not here: reading and writing files, and the REST API's page.

use std::collections::BTreeMap;

use apollo_compiler::{
    Node,
    ast::{Definition, Directive, Document, FieldDefinition, InputValueDefinition, OperationType, Selection},
};

use super::markdown::Page;

/// A ready operation: where it is, and the root fields that it uses.
pub(crate) struct ReadyOperation {
    file: String,
    kind: OperationType,
    fields: Vec<String>,
}

impl ReadyOperation {
    /// Reads an operation from its file's name and text.
    pub(crate) fn parse(file: String, text: &str) -> Self {
        let document = Document::parse(text, &file).unwrap_or_else(|failure| panic!("{file}: {failure}"));
        let operation = document
            .definitions
            .iter()
            .find_map(Definition::as_operation_definition)
            .unwrap_or_else(|| panic!("{file} holds no operation"));
        let fields = operation.selection_set.iter().filter_map(Selection::as_field);
        Self {
            kind: operation.operation_type,
            fields: fields.map(|field| field.name.to_string()).collect(),
            file,
        }
    }
}

struct Section {
    page: &'static str,
    title: &'static str,
    about: &'static str,
}

const QUERIES: Section = Section { page: "queries.md", title: "Queries", about: "What can be read." };
const MUTATIONS: Section = Section {
    page: "mutations.md",
    title: "Mutations",
    about: "What can be changed. Each field does the whole of what it says or nothing, and tells refusals in `userErrors`.",
};
const SUBSCRIPTIONS: Section = Section {
    page: "subscriptions.md",
    title: "Subscriptions",
    about: "What is told as it happens, over graphql-transport-ws on the same URL. Each event carries a cursor: pass the \
            last one seen as `after` to go on without a gap or a duplicate.",
};
const OBJECTS: Section =
    Section { page: "objects.md", title: "Objects", about: "The things that answers are made of." };
const PAYLOADS: Section =
    Section { page: "payloads.md", title: "Payloads", about: "The answers to mutations." };
const ERRORS: Section = Section {
    page: "errors.md",
    title: "Errors",
    about: "Refusals that a caller can mend are data, in `userErrors`. What never reached the business is in `errors`, \
            with the same kind of code in `extensions.code`.",
};
const CONNECTIONS: Section = Section {
    page: "connections.md",
    title: "Connections",
    about: "Pages of lists, as Relay has them: `first` and `after` walk forwards, `last` and `before` backwards; 1 to 100 \
            items a page, 20 if nothing is said.",
};
const INTERFACES: Section =
    Section { page: "interfaces.md", title: "Interfaces", about: "What several types have in common." };
const INPUTS: Section =
    Section { page: "inputs.md", title: "Inputs", about: "The arguments that are more than one value." };
const ENUMS: Section = Section {
    page: "enums.md",
    title: "Enums",
    about: "Closed lists of words. They may grow: be ready for words not listed here.",
};
const SCALARS: Section = Section { page: "scalars.md", title: "Scalars", about: "The single values." };

const SECTIONS: [&Section; 11] = [
    &QUERIES,
    &MUTATIONS,
    &SUBSCRIPTIONS,
    &OBJECTS,
    &PAYLOADS,
    &ERRORS,
    &CONNECTIONS,
    &INTERFACES,
    &INPUTS,
    &ENUMS,
    &SCALARS,
];

const BUILT_IN_SCALARS: [(&str, &str); 5] = [
    ("Boolean", "True or false."),
    ("Float", "A number with a fraction. The API never uses it, since money has none."),
    ("ID", "The name of a thing, opaque but for products, whose id is their sku."),
    ("Int", "A whole number of 32 bits."),
    ("String", "Text."),
];

/// The pages of the GraphQL reference by file name, an index included.
pub(crate) fn pages(schema: &str, operations: &[ReadyOperation]) -> BTreeMap<String, String> {
    let document = Document::parse(schema, "schema.graphql").unwrap_or_else(|failure| panic!("{failure}"));
    let links = Links::new(&document);
    let mut pages: BTreeMap<&str, Page> = BTreeMap::new();
    for section in SECTIONS {
        pages.insert(section.page, Page::new(section.title, section.about));
    }
    for definition in &document.definitions {
        let Some(section) = section_of(definition) else { continue };
        let page = pages.get_mut(section.page).expect("every section has its page");
        write_definition(page, definition, &links, operations);
    }
    let scalars = pages.get_mut(SCALARS.page).expect("every section has its page");
    for (name, meaning) in BUILT_IN_SCALARS {
        scalars.heading(2, name);
        scalars.paragraph(meaning);
    }
    let mut finished: BTreeMap<String, String> =
        pages.into_iter().map(|(name, page)| (name.to_owned(), page.finish())).collect();
    finished.insert("README.md".to_owned(), index(&document));
    finished
}

fn index(document: &Document) -> String {
    let mut page = Page::new(
        "Reference",
        "Every operation and type of the GraphQL API, from [schema.graphql](../../schema.graphql), and of the \
         [REST API](rest.md), from [openapi.json](../../openapi.json).",
    );
    for section in SECTIONS {
        page.heading(2, section.title);
        page.paragraph(section.about);
        let entries = document
            .definitions
            .iter()
            .filter(|one| section_of(one).is_some_and(|of| of.page == section.page));
        page.list(entries.flat_map(|definition| match root_fields(definition) {
            Some(fields) => fields.iter().map(|field| entry(section, &field.name)).collect(),
            None => definition.name().map(|name| entry(section, name)).into_iter().collect::<Vec<_>>(),
        }));
    }
    page.finish()
}

fn entry(section: &Section, name: &str) -> String {
    format!("[{name}]({}#{})", section.page, name.to_lowercase())
}

/// Which page tells about a definition; none for the schema's own plumbing.
fn section_of(definition: &Definition) -> Option<&'static Section> {
    Some(match definition {
        Definition::ScalarTypeDefinition(_) => &SCALARS,
        Definition::EnumTypeDefinition(of) if of.name == "ErrorCode" => &ERRORS,
        Definition::EnumTypeDefinition(_) => &ENUMS,
        Definition::InputObjectTypeDefinition(_) => &INPUTS,
        Definition::InterfaceTypeDefinition(of) if of.name == "UserError" => &ERRORS,
        Definition::InterfaceTypeDefinition(_) => &INTERFACES,
        Definition::ObjectTypeDefinition(of) => match of.name.as_str() {
            "Query" => &QUERIES,
            "Mutation" => &MUTATIONS,
            "Subscription" => &SUBSCRIPTIONS,
            name if name.ends_with("Payload") => &PAYLOADS,
            name if name.ends_with("Connection") || name.ends_with("Edge") || name == "PageInfo" => {
                &CONNECTIONS
            }
            _ if of.implements_interfaces.iter().any(|interface| interface == "UserError") => &ERRORS,
            _ => &OBJECTS,
        },
        _ => return None,
    })
}

/// The operations that a root type offers; none if the definition is no root type.
fn root_fields(definition: &Definition) -> Option<&[Node<FieldDefinition>]> {
    let Definition::ObjectTypeDefinition(of) = definition else { return None };
    matches!(of.name.as_str(), "Query" | "Mutation" | "Subscription").then_some(of.fields.as_slice())
}

fn write_definition(page: &mut Page, definition: &Definition, links: &Links, operations: &[ReadyOperation]) {
    if let Some(fields) = root_fields(definition) {
        let kind = match definition.name().map(|name| name.as_str()) {
            Some("Mutation") => OperationType::Mutation,
            Some("Subscription") => OperationType::Subscription,
            _ => OperationType::Query,
        };
        for field in fields {
            write_operation(page, field, links, operations.iter().filter(|one| one.kind == kind));
        }
        return;
    }
    page.heading(2, definition.name().map_or("", |name| name.as_str()));
    match definition {
        Definition::ScalarTypeDefinition(of) => {
            page.paragraph(describe(of.description.as_ref()));
            if let Some(url) = of.directives.get("specifiedBy").and_then(|one| text_argument(one, "url")) {
                page.paragraph(&format!("Specified by <{url}>."));
            }
        }
        Definition::EnumTypeDefinition(of) => {
            page.paragraph(describe(of.description.as_ref()));
            page.list(of.values.iter().map(|value| {
                let deprecation = deprecation(value.directives.get("deprecated"));
                format!("`{}`: {}{deprecation}", value.value, describe(value.description.as_ref()))
            }));
        }
        Definition::InputObjectTypeDefinition(of) => {
            page.paragraph(describe(of.description.as_ref()));
            if of.directives.has("oneOf") {
                page.paragraph("Exactly one field must be given.");
            }
            page.list(of.fields.iter().map(|field| links.input(field)));
        }
        Definition::InterfaceTypeDefinition(of) => {
            page.paragraph(describe(of.description.as_ref()));
            let implementors = links.implementors(&of.name);
            page.paragraph(&format!("Implemented by {}.", implementors.join(", ")));
            page.list(of.fields.iter().map(|field| links.field(field)));
        }
        Definition::ObjectTypeDefinition(of) => {
            page.paragraph(describe(of.description.as_ref()));
            if !of.implements_interfaces.is_empty() {
                let interfaces: Vec<_> =
                    of.implements_interfaces.iter().map(|one| links.named(one, one)).collect();
                page.paragraph(&format!("Implements {}.", interfaces.join(", ")));
            }
            page.list(of.fields.iter().map(|field| links.field(field)));
        }
        _ => {}
    }
}

fn write_operation<'a>(
    page: &mut Page,
    field: &FieldDefinition,
    links: &Links,
    operations: impl Iterator<Item = &'a ReadyOperation>,
) {
    page.heading(2, &field.name);
    page.paragraph(&format!(
        "{}{}",
        describe(field.description.as_ref()),
        deprecation(field.directives.get("deprecated"))
    ));
    page.code("graphql", &signature(field));
    page.list(field.arguments.iter().map(|argument| links.input(argument)));
    page.paragraph(&format!("Answers {}.", links.named(field.ty.inner_named_type(), &field.ty.to_string())));
    let ready: Vec<_> = operations
        .filter(|operation| operation.fields.iter().any(|name| *name == field.name.as_str()))
        .map(|operation| format!("[{0}](../../playground/operations/{0})", operation.file))
        .collect();
    if !ready.is_empty() {
        page.paragraph(&format!("Ready to run: {}.", ready.join(", ")));
    }
}

/// A field as the schema writes it, without descriptions; on several lines if one would be long.
fn signature(field: &FieldDefinition) -> String {
    let arguments: Vec<_> = field.arguments.iter().map(|argument| parameter(argument)).collect();
    let line = match arguments.as_slice() {
        [] => format!("{}: {}", field.name, field.ty),
        _ => format!("{}({}): {}", field.name, arguments.join(", "), field.ty),
    };
    if line.len() <= 100 {
        return line;
    }
    format!("{}(\n  {}\n): {}", field.name, arguments.join("\n  "), field.ty)
}

fn parameter(argument: &InputValueDefinition) -> String {
    match &argument.default_value {
        Some(value) => format!("{}: {} = {value}", argument.name, argument.ty),
        None => format!("{}: {}", argument.name, argument.ty),
    }
}

fn describe(description: Option<&Node<str>>) -> &str {
    description.map_or("", |text| text.trim())
}

fn deprecation(directive: Option<&Node<Directive>>) -> String {
    directive.map_or(String::new(), |directive| {
        format!(" Deprecated: {}", text_argument(directive, "reason").unwrap_or("No longer supported."))
    })
}

fn text_argument<'a>(directive: &'a Directive, name: &str) -> Option<&'a str> {
    directive.specified_argument_by_name(name).and_then(|value| value.as_str())
}

/// Where each type is told about.
struct Links {
    pages: BTreeMap<String, &'static str>,
    implementors: BTreeMap<String, Vec<String>>,
}

impl Links {
    fn new(document: &Document) -> Self {
        let mut pages: BTreeMap<_, _> =
            BUILT_IN_SCALARS.iter().map(|(name, _)| ((*name).to_owned(), SCALARS.page)).collect();
        let mut implementors: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for definition in &document.definitions {
            let (Some(name), Some(section)) = (definition.name(), section_of(definition)) else { continue };
            pages.insert(name.to_string(), section.page);
            if let Definition::ObjectTypeDefinition(of) = definition {
                for interface in &of.implements_interfaces {
                    implementors.entry(interface.to_string()).or_default().push(name.to_string());
                }
            }
        }
        Self { pages, implementors }
    }

    fn named(&self, name: &str, shown: &str) -> String {
        let page = self.pages.get(name).unwrap_or_else(|| panic!("{name} has no page"));
        format!("[`{shown}`]({page}#{})", name.to_lowercase())
    }

    fn implementors(&self, interface: &str) -> Vec<String> {
        self.implementors.get(interface).into_iter().flatten().map(|name| self.named(name, name)).collect()
    }

    fn input(&self, input: &InputValueDefinition) -> String {
        let shown = self.named(input.ty.inner_named_type(), &input.ty.to_string());
        let default = input.default_value.as_ref().map_or(String::new(), |value| format!(" = `{value}`"));
        let deprecation = deprecation(input.directives.get("deprecated"));
        format!("`{}` {shown}{default}: {}{deprecation}", input.name, describe(input.description.as_ref()))
    }

    fn field(&self, field: &FieldDefinition) -> String {
        let shown = self.named(field.ty.inner_named_type(), &field.ty.to_string());
        let deprecation = deprecation(field.directives.get("deprecated"));
        let mut item =
            format!("`{}` {shown}: {}{deprecation}", field.name, describe(field.description.as_ref()));
        for argument in &field.arguments {
            item.push_str("\n  - ");
            item.push_str(&self.input(argument));
        }
        item
    }
}
