//! Step 4: how much a document asks for, counted before anything walks it expanded.
//!
//! Lives here: [`count`], linear in the size of the document: each fragment is counted once and its sums reused.
//! Always true: what passes expands to at most [`FIELDS`] fields per operation, so that the steps after this one may
//! expand fragments; no fragment reaches itself. A fragment bomb of 1 KB (2^30 fields) is refused here without being expanded.
//! Not here: whether the names mean anything (validate.rs) and how deep introspection goes (validate.rs).

use std::collections::HashMap;

use apollo_compiler::Name;
use apollo_compiler::ast::{
    Definition, DirectiveList, Document, FragmentDefinition, OperationDefinition, Selection,
};

use super::refusal::Refusal;
use crate::problem::ErrorCode;

/// The most operations in one document.
pub const OPERATIONS: usize = 10;
/// The most fields of one operation, fragments expanded.
pub const FIELDS: usize = 1_000;
/// The most aliases of one operation, fragments expanded.
pub const ALIASES: usize = 30;
/// The most directives of one operation, fragments expanded.
pub const DIRECTIVES: usize = 50;
/// The most variables of one operation.
pub const VARIABLES: usize = 50;
/// How deep fields may be nested; the standard introspection query needs 15 or so.
pub const DEPTH: usize = 20;
/// How many fragments may be spread inside one another.
const FRAGMENT_NESTING: usize = 50;

/// What an operation or a fragment expands to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Fields.
    pub fields: usize,
    /// Aliases.
    pub aliases: usize,
    /// Directives.
    pub directives: usize,
    /// Levels of fields.
    pub depth: usize,
    /// Levels of fragments.
    nesting: usize,
}

/// Counts each operation of a document and refuses what is too much.
///
/// # Errors
///
/// QUERY_TOO_COMPLEX, saying which limit is met; GRAPHQL_VALIDATION_FAILED for fragments that reach themselves.
pub fn count(document: &Document) -> Result<(), Refusal> {
    let mut counter = Counter::of(document);
    let operations: Vec<&OperationDefinition> = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::OperationDefinition(operation) => Some(operation.as_ref()),
            _ => None,
        })
        .collect();
    within("operations in the document", operations.len(), OPERATIONS)?;
    for operation in operations {
        check(counter.operation(operation)?)?;
        within("variables in the operation", operation.variables.len(), VARIABLES)?;
    }
    // A fragment that no operation spreads is refused by validation, which walks it: it is held to the same limits.
    let names: Vec<&Name> = counter.fragments.keys().copied().collect();
    for name in names {
        check(counter.fragment(name)?)?;
    }
    Ok(())
}

struct Counter<'a> {
    fragments: HashMap<&'a Name, &'a FragmentDefinition>,
    /// `None` while a fragment is being counted: meeting it again is a cycle.
    counted: HashMap<&'a Name, Option<Counts>>,
}

impl<'a> Counter<'a> {
    fn of(document: &'a Document) -> Self {
        let fragments = document.definitions.iter().filter_map(|definition| match definition {
            Definition::FragmentDefinition(fragment) => Some((&fragment.name, fragment.as_ref())),
            _ => None,
        });
        Self { fragments: fragments.collect(), counted: HashMap::new() }
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Counts, Refusal> {
        let mut counts = self.selections(&operation.selection_set)?;
        let own = operation.directives.len();
        let on_variables: usize = operation.variables.iter().map(|variable| variable.directives.len()).sum();
        counts.directives = counts.directives.saturating_add(own).saturating_add(on_variables);
        Ok(counts)
    }

    fn selections(&mut self, selections: &'a [Selection]) -> Result<Counts, Refusal> {
        let mut sum = Counts::default();
        for selection in selections {
            let (part, directives) = match selection {
                Selection::Field(field) => {
                    let mut part = self.selections(&field.selection_set)?;
                    part.fields = part.fields.saturating_add(1);
                    part.aliases = part.aliases.saturating_add(usize::from(field.alias.is_some()));
                    part.depth += 1;
                    (part, &field.directives)
                }
                Selection::InlineFragment(inline) => {
                    (self.selections(&inline.selection_set)?, &inline.directives)
                }
                Selection::FragmentSpread(spread) => {
                    (self.fragment(&spread.fragment_name)?, &spread.directives)
                }
            };
            sum.add(part, directives);
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a Name) -> Result<Counts, Refusal> {
        match self.counted.get(name) {
            Some(Some(counts)) => return Ok(*counts),
            Some(None) => {
                let message = format!("The fragment `{name}` reaches itself.");
                return Err(Refusal::new(ErrorCode::GraphqlValidationFailed, message));
            }
            None => {}
        }
        // Validation names the fragments that nothing defines.
        let Some(fragment) = self.fragments.get(name).copied() else { return Ok(Counts::default()) };
        self.counted.insert(&fragment.name, None);
        let mut counts = self.selections(&fragment.selection_set)?;
        counts.nesting += 1;
        counts.directives = counts.directives.saturating_add(fragment.directives.len());
        within("levels of fragments", counts.nesting, FRAGMENT_NESTING)?;
        self.counted.insert(&fragment.name, Some(counts));
        Ok(counts)
    }
}

impl Counts {
    fn add(&mut self, part: Self, directives: &DirectiveList) {
        self.fields = self.fields.saturating_add(part.fields);
        self.aliases = self.aliases.saturating_add(part.aliases);
        self.directives = self.directives.saturating_add(part.directives).saturating_add(directives.len());
        self.depth = self.depth.max(part.depth);
        self.nesting = self.nesting.max(part.nesting);
    }
}

fn check(counts: Counts) -> Result<(), Refusal> {
    within("fields", counts.fields, FIELDS)?;
    within("aliases", counts.aliases, ALIASES)?;
    within("directives", counts.directives, DIRECTIVES)?;
    within("levels of fields", counts.depth, DEPTH)
}

fn within(what: &str, number: usize, limit: usize) -> Result<(), Refusal> {
    if number <= limit {
        return Ok(());
    }
    let message = format!("Too many {what} once fragments are expanded: at most {limit} are taken.");
    Err(Refusal::new(ErrorCode::QueryTooComplex, message))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::parse::parse;
    use super::*;

    fn refused(text: &str) -> Option<(ErrorCode, String)> {
        let document = parse(text).unwrap();
        count(&document).err().map(|refusal| (refusal.code, refusal.faults[0].message.clone()))
    }

    /// `levels` fragments, each spreading the next `width` times: `width` to the power of `levels` fields.
    fn bomb(levels: usize, width: usize) -> String {
        let mut text = "{...f0}".to_owned();
        for level in 0..levels {
            let spreads = format!("...f{} ", level + 1).repeat(width);
            write!(text, "fragment f{level} on Q{{{spreads}}}").unwrap();
        }
        write!(text, "fragment f{levels} on Q{{a}}").unwrap();
        text
    }

    /// What the first operation comes to, judged by nobody.
    fn counts(text: &str) -> Counts {
        let document = parse(text).unwrap();
        let mut counter = Counter::of(&document);
        let operation =
            document.definitions.iter().find_map(|definition| definition.as_operation_definition());
        counter.operation(operation.unwrap()).unwrap()
    }

    /// The sums could not be had by going through what they count: that would outlast whoever runs this.
    #[test]
    fn counts_a_fragment_once_however_often_it_is_spread() {
        for (levels, width, fields) in
            [(20, 2, 1 << 20), (25, 4, 1 << 50), (45, 2, 1 << 45), (10, 64, 1 << 60)]
        {
            assert_eq!(counts(&bomb(levels, width)).fields, fields);
        }
        assert_eq!(counts(&bomb(40, 4)).fields, usize::MAX, "sums do not wrap");
        let aliased = bomb(40, 2).replace("{a}", "{b:a @x @y{c:d @x}}");
        let sums = counts(&aliased);
        assert_eq!((sums.fields, sums.aliases, sums.directives, sums.depth), (2 << 40, 2 << 40, 3 << 40, 2));
    }

    #[test]
    fn refuses_fragment_bombs_deep_and_wide() {
        for (levels, width) in [(20, 2), (30, 2), (4, 30), (40, 3)] {
            let (code, message) = refused(&bomb(levels, width)).expect("a bomb is refused");
            assert_eq!(code, ErrorCode::QueryTooComplex);
            assert!(message.contains("fields"), "{message}");
        }
    }

    #[test]
    fn refuses_fragments_that_reach_themselves() {
        for text in [
            "{...a} fragment a on Query{...a}",
            "{...a} fragment a on Query{...b} fragment b on Query{x{...a}}",
            "{x} fragment a on Query{...b} fragment b on Query{...a}",
        ] {
            assert_eq!(
                refused(text).map(|refused| refused.0),
                Some(ErrorCode::GraphqlValidationFailed),
                "{text}"
            );
        }
    }

    #[test]
    fn each_limit_holds_exactly() {
        let fields = |number: usize| format!("{{{}}}", "a ".repeat(number));
        assert_eq!(refused(&fields(FIELDS)), None);
        assert!(refused(&fields(FIELDS + 1)).is_some());
        let aliases = |number: usize| format!("{{{}}}", "b:a ".repeat(number));
        assert_eq!(refused(&aliases(ALIASES)), None);
        assert!(refused(&aliases(ALIASES + 1)).is_some());
        let directives = |number: usize| format!("{{a {}}}", "@x ".repeat(number));
        assert_eq!(refused(&directives(DIRECTIVES)), None);
        assert!(refused(&directives(DIRECTIVES + 1)).is_some());
        let depth = |number: usize| format!("{}{}", "{a".repeat(number), "}".repeat(number));
        assert_eq!(refused(&depth(DEPTH)), None);
        assert!(refused(&depth(DEPTH + 1)).is_some());
        let operations =
            |number: usize| (0..number).map(|index| format!("query q{index} {{a}} ")).collect::<String>();
        assert_eq!(refused(&operations(OPERATIONS)), None);
        assert!(refused(&operations(OPERATIONS + 1)).is_some());
        let variables = |number: usize| {
            format!(
                "query ({}) {{a}}",
                (0..number).map(|index| format!("$v{index}:Int ")).collect::<String>()
            )
        };
        assert_eq!(refused(&variables(VARIABLES)), None);
        assert!(refused(&variables(VARIABLES + 1)).is_some());
    }

    #[test]
    fn limits_are_of_each_operation_not_of_all_together() {
        let text = "query a {...f} query b {...f} fragment f on Query {".to_owned() + &"x ".repeat(600) + "}";
        assert_eq!(refused(&text), None);
    }
}
