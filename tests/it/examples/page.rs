//! What lives here: a page of examples taken apart into steps, and put together again.
//! What is always true: joining the pieces of an untouched page gives the page back, byte for byte.
//! What is not here: running a step, and judging its answer.

/// A piece of a page: prose as it stands, or a fenced block.
pub(crate) enum Piece {
    /// Text outside fences, line ends included.
    Prose(String),
    /// A fenced block.
    Block(Block),
}

/// A fenced block: what stands behind the fence, and what stands inside.
pub(crate) struct Block {
    /// The info string, such as `json answer`.
    pub(crate) info: String,
    /// The lines inside, without the last line end.
    pub(crate) text: String,
}

/// The pieces of a page, in order.
pub(crate) fn parse(markdown: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut prose = String::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            prose.push_str(line);
            prose.push('\n');
            continue;
        };
        pieces.push(Piece::Prose(std::mem::take(&mut prose)));
        let inside: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        pieces.push(Piece::Block(Block { info: info.to_owned(), text: inside.join("\n") }));
    }
    pieces.push(Piece::Prose(prose));
    pieces
}

/// The page that the pieces make.
pub(crate) fn join(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Prose(text) => text.clone(),
            Piece::Block(Block { info, text }) if text.is_empty() => format!("```{info}\n```\n"),
            Piece::Block(Block { info, text }) => format!("```{info}\n{text}\n```\n"),
        })
        .collect()
}

#[test]
fn an_untouched_page_comes_back_byte_for_byte() {
    let page =
        "# Title\n\nText.\n\n```graphql viewer\n{ viewer { scopes } }\n```\n\n```json answer\n```\n\nEnd.\n";
    assert_eq!(join(&parse(page)), page);
}
