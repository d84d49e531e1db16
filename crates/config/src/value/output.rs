//! Where logs go, and what an access log line looks like.

use super::written::{Fault, Written, unlike};
use crate::suggest::suggest;

/// Where the runtime log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogOutput {
    /// `stderr`
    Stderr,
    /// `stdout`
    Stdout,
    /// The file with this path.
    File(String),
}

/// Where the access log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccessLogOutput {
    /// `off`: nowhere.
    Off,
    /// `-`: standard output.
    Stdout,
    /// The file with this path.
    File(String),
}

/// What an access log line looks like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccessLogFormat {
    /// `json`: one object per line.
    Json,
    /// `combined`: the format that web servers have in common.
    Combined,
    /// Any text with `${...}` in it.
    Template(String),
}

impl Written for LogOutput {
    const NOUN: &'static str = "`stderr`, `stdout` or the path of a file";
    const PATTERN: &'static str = ".";

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "stderr" => Ok(Self::Stderr),
            "stdout" => Ok(Self::Stdout),
            "-" => Err(unlike(Self::NOUN, text).help("write `stdout` for standard output")),
            _ if means_off(text) => Err(unlike(Self::NOUN, text).help(format!(
                "the runtime log is always there, `level: error` is the least that it says; a file of that name is `./{text}`"
            ))),
            _ => file(text, Self::NOUN).map(Self::File),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Stderr => "stderr".to_owned(),
            Self::Stdout => "stdout".to_owned(),
            Self::File(path) => path.clone(),
        }
    }

    fn placeholder() -> Self {
        Self::Stderr
    }
}

impl Written for AccessLogOutput {
    const NOUN: &'static str = "`off`, `-` or the path of a file";
    const PATTERN: &'static str = ".";
    const FALSE: Option<Self> = Some(Self::Off);

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "off" => Ok(Self::Off),
            "-" => Ok(Self::Stdout),
            "stdout" => Err(unlike(Self::NOUN, text).help("write `-` for standard output")),
            "stderr" => Err(unlike(Self::NOUN, text)
                .help("write `-` for standard output, `/dev/stderr` for standard error")),
            _ if means_off(text) => Err(unlike(Self::NOUN, text).help(format!(
                "write `off` for no access log; a file of that name is `./{text}`"
            ))),
            _ => file(text, Self::NOUN).map(Self::File),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Stdout => "-".to_owned(),
            Self::File(path) => path.clone(),
        }
    }

    fn placeholder() -> Self {
        Self::Off
    }
}

/// As on a command line; the error is a sentence for people.
impl std::str::FromStr for AccessLogOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|fault| match fault.help {
            Some(help) => format!("{}; {help}", fault.message),
            None => fault.message,
        })
    }
}

/// What people write who want no log, and not a file that is called so.
fn means_off(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "off", "none", "no", "false", "null", "never", "disable", "disabled", "discard",
    ];
    WORDS.contains(&&*text.to_ascii_lowercase())
}

fn file(path: &str, noun: &str) -> Result<String, Fault> {
    if path.trim().is_empty() || path.contains('\0') {
        return Err(unlike(noun, path));
    }
    if path.ends_with('/') {
        return Err(unlike(noun, path).help("this is a directory; add the name of a file"));
    }
    Ok(path.to_owned())
}

impl Written for AccessLogFormat {
    const NOUN: &'static str = "`json`, `combined` or a template with `${...}` in it";
    const PATTERN: &'static str = "^(json|combined)$|\\$\\{";

    /// A text without `${` would give the same line for every request, and can only be a misspelt name.
    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "json" => Ok(Self::Json),
            "combined" => Ok(Self::Combined),
            _ if text.contains("${") => Ok(Self::Template(text.to_owned())),
            _ => Err(Fault {
                help: suggest(text, ["json", "combined"])
                    .map(|word| format!("did you mean `{word}`?")),
                ..unlike(Self::NOUN, text)
            }),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Json => "json".to_owned(),
            Self::Combined => "combined".to_owned(),
            Self::Template(template) => template.clone(),
        }
    }

    fn placeholder() -> Self {
        Self::Json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_paths_are_read_and_written() {
        for text in ["stderr", "stdout", "logs/proxy.log"] {
            assert_eq!(
                LogOutput::parse(text).map(|o| o.text()),
                Ok(text.to_owned())
            );
        }
        for text in ["off", "-", "/var/log/access.log"] {
            assert_eq!(
                AccessLogOutput::parse(text).map(|o| o.text()),
                Ok(text.to_owned())
            );
        }
        for text in ["json", "combined", "${method} ${path}"] {
            assert_eq!(
                AccessLogFormat::parse(text).map(|f| f.text()),
                Ok(text.to_owned())
            );
        }
        assert_eq!(AccessLogOutput::parse("-"), Ok(AccessLogOutput::Stdout));
        assert_eq!(
            LogOutput::parse("logs/a"),
            Ok(LogOutput::File("logs/a".to_owned()))
        );
    }

    #[test]
    fn others_are_refused() {
        assert!(LogOutput::parse("").is_err());
        assert!(LogOutput::parse("logs/").is_err());
        for text in [
            "stdout", "stderr", "none", "None", "OFF", "false", "disabled",
        ] {
            let help = AccessLogOutput::parse(text).expect_err(text).help;
            assert!(
                help.is_some_and(|help| help.starts_with("write `")),
                "{text}"
            );
        }
        assert!(AccessLogOutput::parse("./none").is_ok());
        for (text, part) in [("off", "level: error"), ("-", "write `stdout`")] {
            let help = LogOutput::parse(text).expect_err(text).help;
            assert!(help.is_some_and(|help| help.contains(part)), "{text}");
        }
        let fault = AccessLogFormat::parse("jsn").expect_err("misspelt");
        assert_eq!(fault.help.as_deref(), Some("did you mean `json`?"));
        assert!(AccessLogFormat::parse("").is_err());
    }
}
