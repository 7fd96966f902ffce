//! What stands in the parentheses of the attribute.
//!
//! The names are tokio's, so that a ported program keeps its attribute and changes its path. An option
//! that tokio has and shopfloor has not is refused by name, with what to write instead.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, MetaNameValue, Path, Result, Token};

use crate::Attribute;

/// The runtime that runs the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
}

/// The options of one attribute, checked against each other.
pub(crate) struct Options {
    pub(crate) flavor: Flavor,
    /// Not zero, and only with [`Flavor::MultiThread`].
    pub(crate) worker_threads: Option<usize>,
    /// Where the facade is found; `None` is `::shopfloor`.
    pub(crate) facade: Option<Path>,
}

impl Options {
    /// What the attribute means with nothing in its parentheses.
    pub(crate) fn default_of(attribute: Attribute) -> Self {
        let flavor = match attribute {
            Attribute::Main => Flavor::MultiThread,
            Attribute::Test => Flavor::CurrentThread,
        };
        Self { flavor, worker_threads: None, facade: None }
    }

    /// Parses `arguments`, the tokens between the parentheses.
    pub(crate) fn parse(attribute: Attribute, arguments: TokenStream) -> Result<Self> {
        let pairs = Punctuated::<MetaNameValue, Token![,]>::parse_terminated.parse2(arguments)?;
        let mut options = Self::default_of(attribute);
        let mut seen: Vec<String> = Vec::new();
        let mut workers_asked_for = None;
        for pair in pairs {
            let name = option_name(&pair.path)?;
            if seen.contains(&name) {
                return Err(Error::new_spanned(&pair.path, format!("`{name}` is given twice")));
            }
            match name.as_str() {
                "flavor" => options.flavor = flavor(&pair.value)?,
                "worker_threads" => {
                    options.worker_threads = Some(worker_threads(&pair.value)?);
                    workers_asked_for = Some(pair);
                }
                "crate" => options.facade = Some(facade(&pair.value)?),
                _ => return Err(unknown_option(&name, &pair.path, attribute)),
            }
            seen.push(name);
        }
        match workers_asked_for {
            Some(pair) if options.flavor == Flavor::CurrentThread => Err(Error::new_spanned(
                pair,
                format!(
                    "`worker_threads` needs workers: write `#[shopfloor::{}(flavor = \"multi_thread\", worker_threads = ..)]`",
                    attribute.name(),
                ),
            )),
            _ => Ok(options),
        }
    }
}

fn option_name(path: &Path) -> Result<String> {
    match path.get_ident() {
        Some(name) => Ok(name.to_string()),
        None => Err(Error::new_spanned(path, "an option is one word, such as `flavor`")),
    }
}

fn flavor(value: &Expr) -> Result<Flavor> {
    let text = string(value, "flavor")?;
    match text.value().as_str() {
        "current_thread" => Ok(Flavor::CurrentThread),
        "multi_thread" => Ok(Flavor::MultiThread),
        "local" => Err(Error::new_spanned(
            text,
            "the flavor `local` is not an option of this attribute: build a `LocalRuntime` and call its `block_on`",
        )),
        other => Err(Error::new_spanned(
            text,
            format!("no flavor is called `{other}`: choose `current_thread` or `multi_thread`"),
        )),
    }
}

fn worker_threads(value: &Expr) -> Result<usize> {
    let Some(Lit::Int(number)) = literal(value) else {
        return Err(Error::new_spanned(value, "`worker_threads` is an integer literal, such as `4`"));
    };
    match number.base10_parse::<usize>()? {
        0 => Err(Error::new_spanned(number, "`worker_threads` is at least 1")),
        count => Ok(count),
    }
}

/// `crate = "path::to::it"` and, as tokio accepts too, `crate = path::to::it`.
fn facade(value: &Expr) -> Result<Path> {
    match value {
        Expr::Path(expression) if expression.attrs.is_empty() && expression.qself.is_none() => {
            Ok(expression.path.clone())
        }
        _ => {
            let text = string(value, "crate")?;
            text.parse_with(Path::parse_mod_style).map_err(|_| {
                let found = text.value();
                Error::new_spanned(
                    &text,
                    format!("`{found}` is not the path of a crate or module, such as `::shopfloor`"),
                )
            })
        }
    }
}

fn string(value: &Expr, option: &str) -> Result<syn::LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => Err(Error::new_spanned(value, format!("the value of `{option}` is a string literal"))),
    }
}

/// The literal that `value` is; one handed on by a `macro_rules!` comes in an invisible group.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { attrs, lit }) if attrs.is_empty() => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn unknown_option(name: &str, path: &Path, attribute: Attribute) -> Error {
    let text = match name {
        "start_paused" => "`start_paused` is not supported: time cannot be paused".to_owned(),
        "unhandled_panic" => {
            "`unhandled_panic` is not supported: a panic is reported by the `JoinHandle` of its task"
                .to_owned()
        }
        "core_threads" => "`core_threads` is called `worker_threads`".to_owned(),
        other => format!(
            "`#[shopfloor::{}]` has no option `{other}`: it has `flavor`, `worker_threads` and `crate`",
            attribute.name(),
        ),
    };
    Error::new_spanned(path, text)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn parse(attribute: Attribute, arguments: &str) -> Result<Options> {
        Options::parse(attribute, TokenStream::from_str(arguments).expect("the sample is made of tokens"))
    }

    fn legal(attribute: Attribute, arguments: &str) -> Options {
        parse(attribute, arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"))
    }

    /// The message, and the piece of `arguments` that the compiler would underline.
    fn refusal(attribute: Attribute, arguments: &str) -> (String, String) {
        let error = parse(attribute, arguments).err().expect("the sample is wrong");
        let span = error.span();
        let underlined = &arguments[span.start().column..span.end().column];
        (error.to_string(), underlined.to_owned())
    }

    #[test]
    fn main_runs_on_workers_and_a_test_on_its_own_thread() {
        assert_eq!(legal(Attribute::Main, "").flavor, Flavor::MultiThread);
        assert_eq!(legal(Attribute::Test, "").flavor, Flavor::CurrentThread);
    }

    #[test]
    fn options_come_in_any_order_and_may_end_in_a_comma() {
        let options =
            legal(Attribute::Test, r#"worker_threads = 1_0, crate = "a::b", flavor = "multi_thread","#);
        assert_eq!(options.flavor, Flavor::MultiThread);
        assert_eq!(options.worker_threads, Some(10));
        let facade = options.facade.expect("given");
        assert_eq!(quote::quote!(#facade).to_string(), "a :: b");
    }

    #[test]
    fn the_facade_is_a_path_with_or_without_quotes() {
        for arguments in [r#"crate = "::renamed""#, "crate = ::renamed"] {
            let facade = legal(Attribute::Main, arguments).facade.expect("given");
            assert_eq!(quote::quote!(#facade).to_string(), ":: renamed");
        }
    }

    #[test]
    fn an_unknown_option_is_underlined_and_the_known_ones_are_listed() {
        let (message, underlined) = refusal(Attribute::Main, "flavour = \"multi_thread\"");
        assert_eq!(underlined, "flavour");
        assert!(message.contains("`flavor`, `worker_threads` and `crate`"), "{message}");
    }

    #[test]
    fn an_option_of_tokio_alone_is_refused_by_name() {
        let (message, underlined) = refusal(Attribute::Test, "start_paused = true");
        assert_eq!(underlined, "start_paused");
        assert!(message.contains("time cannot be paused"), "{message}");
    }

    #[test]
    fn an_unknown_flavor_is_underlined_at_its_value() {
        let (message, underlined) = refusal(Attribute::Main, r#"flavor = "threaded_scheduler""#);
        assert_eq!(underlined, r#""threaded_scheduler""#);
        assert!(message.contains("choose `current_thread` or `multi_thread`"), "{message}");
    }

    #[test]
    fn an_option_given_twice_is_underlined_at_the_second() {
        let arguments = "worker_threads = 1, worker_threads = 2";
        let error = parse(Attribute::Main, arguments).err().expect("the sample is wrong");
        assert_eq!(error.to_string(), "`worker_threads` is given twice");
        assert_eq!(error.span().start().column, arguments.rfind("worker_threads").expect("it is there"));
    }

    #[test]
    fn zero_workers_are_refused_at_the_number() {
        assert_eq!(
            refusal(Attribute::Main, "worker_threads = 0"),
            ("`worker_threads` is at least 1".to_owned(), "0".to_owned())
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_underlined() {
        assert_eq!(refusal(Attribute::Main, r#"worker_threads = "4""#).1, r#""4""#);
        assert_eq!(refusal(Attribute::Main, "worker_threads = -1").1, "-1");
        assert_eq!(refusal(Attribute::Main, "flavor = 4").1, "4");
        assert_eq!(refusal(Attribute::Main, r#"crate = "not a path""#).1, r#""not a path""#);
    }

    #[test]
    fn worker_threads_on_one_thread_are_refused_with_the_spelling_that_works() {
        let (message, underlined) = refusal(Attribute::Test, "worker_threads = 2");
        assert_eq!(underlined, "worker_threads = 2");
        assert!(message.contains("#[shopfloor::test(flavor = \"multi_thread\""), "{message}");
        refusal(Attribute::Main, r#"worker_threads = 2, flavor = "current_thread""#);
    }
}
