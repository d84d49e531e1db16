//! Text to settings: YAML, JSON and TOML, every problem with file, line and column.
//!
//! Nothing here opens a file or looks at the environment: [`read`] is given a name, a text and a way to
//! look up variables, and gives back [`Settings`] together with all [`Problems`] it could find in one go.
//!
//! The way of a text: `format` parses it into a tree of nodes that know their place, `environment` fills
//! in `${env:NAME}`, and the sections under `settings` read themselves from the tree. Each setting is
//! written down once, with `settings!`; its reader, its default, the JSON Schema and the reference page all
//! come from that one line.

#[macro_use]
mod define;

mod environment;
mod fields;
mod format;
mod include;
mod listed;
mod node;
mod problems;
mod reader;
mod reference;
mod render;
mod schema;
mod settings;
mod shape;
mod span;
mod suggest;
mod value;

pub use include::{File, Find};
pub use listed::read_backends;
pub use problems::{Position, Problem, Problems, Severity};
pub use reference::reference;
pub use schema::schema;
pub use settings::*;
pub use span::{Span, Spanned};
pub use suggest::suggest;
pub use value::{
    AccessLogFormat, AccessLogOutput, BackendUrl, Host, LogOutput, Pair, Pairs, Scheme, Size,
    Statuses,
};

use format::Format;
use node::Node;
use reader::Reader;
use value::Value;

/// What came of a configuration text.
pub struct Reading {
    /// Always there; where the text could not be read, defaults and placeholders stand in
    /// (see [`Spanned::is_written`]).
    pub settings: Settings,
    /// Everything wrong with the text.
    pub problems: Problems,
    /// False when the text is not even well-formed. Then the settings say nothing, and looking for further
    /// problems in them would only find false ones.
    pub parsed: bool,
}

/// Reads the configuration `text` of the file called `name`.
///
/// The extension of `name` chooses the format: `.json`, `.toml`, and YAML for everything else. `env` looks
/// up the variables that `${env:NAME}` asks for.
pub fn read(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Reading {
    let nothing = |_: &str| Err("nothing can be included here".to_owned());
    read_files(name, text, &[], env, &nothing)
}

/// Reads a configuration that may include other files, but for those that are left out.
pub fn read_files(
    name: &str,
    text: &str,
    left_out: &[String],
    env: &dyn Fn(&str) -> Option<String>,
    find: &Find<'_>,
) -> Reading {
    let mut problems = Problems::new(name, text);
    let Some(mut root) = Format::of(name).parse(text, &mut problems) else {
        return Reading {
            settings: Settings::default(),
            problems,
            parsed: false,
        };
    };
    environment::fill(&mut root, text, env, &mut problems);
    include::include(&mut root, left_out, env, find, &mut problems);
    let settings = settings_of(&root, &mut problems);
    Reading {
        parsed: settings.is_some(),
        settings: settings.unwrap_or_default(),
        problems,
    }
}

/// An empty file is a file without any key, and not a mistake of its own.
fn settings_of(root: &Node, problems: &mut Problems) -> Option<Settings> {
    if root.is_null() {
        return Some(Settings::default());
    }
    Settings::read(root, &shape::Rule::Any, &mut Reader::new(problems))
}
