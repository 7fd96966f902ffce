//! The function under the attribute.
//!
//! Its body is kept as tokens and never parsed: an unfinished statement in an editor must not cost the
//! completions of the whole function, and what stands in the body is the compiler's business.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::parse::{Parse, ParseStream};
use syn::{Error, FnArg, GenericParam, Pat, PatIdent, PatType, Result, Safety, Signature, Visibility};

use crate::Attribute;

/// A function item, as far as the attribute looks into it.
#[derive(Clone)]
pub(crate) struct AsyncFunction {
    pub(crate) attributes: Vec<syn::Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// The braces and everything in them.
    pub(crate) body: TokenStream,
}

impl Parse for AsyncFunction {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self {
            attributes: input.call(syn::Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl AsyncFunction {
    /// Refuses what the expansion could not keep the meaning of.
    pub(crate) fn check(&self, attribute: Attribute) -> Result<()> {
        let signature = &self.signature;
        let name = format!("`#[shopfloor::{}]`", attribute.name());
        if signature.asyncness.is_none() {
            let text = format!("{name} needs an `async fn`: write `async` before `fn`");
            return Err(Error::new_spanned(signature.fn_token, text));
        }
        if let Some(token) = &signature.constness {
            return Err(Error::new_spanned(token, format!("{name} needs a function that is not `const`")));
        }
        if let Safety::Unsafe(token) = &signature.safety {
            return Err(Error::new_spanned(token, format!("{name} needs a function that is not `unsafe`")));
        }
        if let Some(abi) = &signature.abi {
            return Err(Error::new_spanned(abi, format!("{name} needs a function with Rust's own ABI")));
        }
        if signature.generics.params.iter().any(|it| !matches!(it, GenericParam::Lifetime(_))) {
            let text = format!("{name} needs a function without generic parameters other than lifetimes");
            return Err(Error::new_spanned(&signature.generics, text));
        }
        if let Some(receiver) = signature.receiver() {
            return Err(Error::new_spanned(receiver, format!("{name} needs a free function, not a method")));
        }
        if attribute == Attribute::Test && !signature.inputs.is_empty() {
            return Err(Error::new_spanned(&signature.inputs, "a test takes no arguments"));
        }
        if signature.ident == "main" && !signature.inputs.is_empty() {
            let text = "`main` takes no arguments: read them with `std::env::args`";
            return Err(Error::new_spanned(&signature.inputs, text));
        }
        if let Some(second) = self.attributes.iter().find(|it| attribute == Attribute::Test && is_test(it)) {
            let text = format!("{name} is a test already: this attribute would run it twice");
            return Err(Error::new_spanned(second, text));
        }
        Ok(())
    }

    /// Names and types of the arguments, in order; [`check`](Self::check) has refused a receiver. The names are the user's, since
    /// attributes may speak of them; where there is a pattern, or the function itself would be hidden, one of ours.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = (Ident, &syn::Type)> {
        let function = &self.signature.ident;
        let typed = self.signature.inputs.iter().filter_map(|argument| match argument {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        typed.enumerate().map(move |(index, PatType { pat, ty, .. })| {
            let name = match &**pat {
                Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) if ident != function => {
                    ident.clone()
                }
                _ => format_ident!("argument_{index}"),
            };
            (name, &**ty)
        })
    }
}

/// `#[test]`, under any of the paths that lead to it.
fn is_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::Path(path) = &attribute.meta else { return false };
    let path: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(path[..], ["test"] | ["core" | "std", "prelude", _, "test"])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message, and the piece of `item` that the compiler would underline.
    fn refusal(attribute: Attribute, item: &str) -> (String, String) {
        let function: AsyncFunction = syn::parse_str(item).expect("the sample is a function");
        let error = function.check(attribute).expect_err("the sample is wrong");
        let span = error.span();
        (error.to_string(), item[span.start().column..span.end().column].to_owned())
    }

    #[test]
    fn a_function_that_is_not_async_is_underlined_at_fn() {
        let (message, underlined) = refusal(Attribute::Main, "fn main() {}");
        assert_eq!(underlined, "fn");
        assert!(message.contains("write `async` before `fn`"), "{message}");
    }

    #[test]
    fn arguments_of_main_are_underlined() {
        let (message, underlined) = refusal(Attribute::Main, "async fn main(count: usize, list: Vec<u8>) {}");
        assert_eq!(underlined, "count: usize, list: Vec<u8>");
        assert!(message.contains("std::env::args"), "{message}");
    }

    #[test]
    fn arguments_of_a_test_are_underlined() {
        assert_eq!(refusal(Attribute::Test, "async fn it_works(count: usize) {}").1, "count: usize");
    }

    #[test]
    fn generic_parameters_are_underlined() {
        let (message, underlined) = refusal(Attribute::Main, "async fn run<T: Copy>(it: T) {}");
        assert_eq!(underlined, "<T: Copy>");
        assert!(message.contains("without generic parameters"), "{message}");
    }

    #[test]
    fn qualifiers_that_would_be_lost_are_underlined() {
        assert_eq!(refusal(Attribute::Main, "async unsafe fn main() {}").1, "unsafe");
        assert_eq!(refusal(Attribute::Main, "const async fn main() {}").1, "const");
        assert_eq!(refusal(Attribute::Main, r#"async extern "C" fn main() {}"#).1, r#"extern "C""#);
    }

    #[test]
    fn a_method_is_underlined_at_its_receiver() {
        assert_eq!(refusal(Attribute::Main, "async fn run(&self) {}").1, "&self");
    }

    #[test]
    fn a_second_test_attribute_is_underlined() {
        assert_eq!(refusal(Attribute::Test, "#[test] async fn it_works() {}").1, "#[test]");
        assert_eq!(
            refusal(Attribute::Test, "#[core::prelude::v1::test] async fn it_works() {}").1,
            "#[core::prelude::v1::test]"
        );
        let case: AsyncFunction =
            syn::parse_str("#[test_log(x)] async fn it_works() {}").expect("a function");
        case.check(Attribute::Test).expect("another attribute is left alone");
    }

    #[test]
    fn arguments_of_a_function_not_called_main_are_kept() {
        let function: AsyncFunction =
            syn::parse_str("async fn run((a, b): (u8, u8), name: &str) -> u8 { a + b }").expect("a function");
        function.check(Attribute::Main).expect("legal");
        assert_eq!(function.arguments().count(), 2);
    }

    #[test]
    fn lifetimes_are_the_generic_parameters_that_are_legal() {
        let function: AsyncFunction =
            syn::parse_str("async fn run<'a>(it: &'a str) -> &'a str { it }").expect("a function");
        function.check(Attribute::Main).expect("legal");
    }

    #[test]
    fn an_unfinished_body_is_still_a_function() {
        let function: AsyncFunction =
            syn::parse_str("async fn main() { let listener = bind().await; listener. }").expect("tokens");
        function.check(Attribute::Main).expect("the body is the compiler's business");
    }
}
