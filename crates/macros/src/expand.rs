//! From the attribute and its function to the code that runs it.
//!
//! ```text
//! #[shopfloor::main]                       fn main() -> Result<(), Error> {
//! async fn main() -> Result<(), Error> {       async fn main() -> Result<(), Error> { body }
//!     body                            =>       ::shopfloor::runtime::Builder::new_multi_thread()
//! }                                                .enable_all().build().expect("..").block_on(main())
//!                                          }
//! ```
//!
//! The async function stays what the user wrote, one level deeper, with its tokens untouched: the compiler
//! infers and reports in it exactly as it would without the attribute. An `async` block in its place would
//! lose the return type where inference needs it most (`Box<dyn Error>` out of `Err(Box::new(error))`).

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, parse_quote};

use crate::Attribute;
use crate::function::AsyncFunction;
use crate::options::{Flavor, Options};

/// The code that takes the function's place; on an error, the error and as much of the function as can
/// stay, so that one mistake is reported once.
pub(crate) fn expand(attribute: Attribute, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function: AsyncFunction = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_error(&error, &item),
    };
    if let Err(error) = function.check(attribute) {
        // Without `async` the item brings no complaints of its own about an async `main`.
        return with_error(&error, &placeholder(function));
    }
    match Options::parse(attribute, arguments) {
        Ok(options) => rewrite(attribute, &options, function),
        Err(error) => with_error(&error, &rewrite(attribute, &Options::default_of(attribute), function)),
    }
}

fn with_error(error: &syn::Error, rest: &TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    quote! { #error #rest }
}

/// A function of the same name and no more, so that what refers to it still resolves.
fn placeholder(function: AsyncFunction) -> TokenStream {
    let AsyncFunction { visibility, signature, .. } = function;
    let name = signature.ident;
    quote! { #[allow(dead_code)] #visibility fn #name() {} }
}

fn rewrite(attribute: Attribute, options: &Options, function: AsyncFunction) -> TokenStream {
    let runtime = runtime(options);
    let (names, types): (Vec<_>, Vec<_>) = function.arguments().map(|(name, ty)| (name, ty.clone())).unzip();
    let AsyncFunction { attributes, visibility, signature, body } = function;
    let mut outer = signature.clone();
    outer.asyncness = None;
    outer.inputs = names.iter().zip(&types).map(|(name, ty)| -> FnArg { parse_quote!(#name: #ty) }).collect();
    let name = &signature.ident;
    let test = match attribute {
        Attribute::Main => None,
        Attribute::Test => Some(quote! { #[::core::prelude::v1::test] }),
    };
    quote! {
        #test
        #(#attributes)*
        #visibility #outer {
            #signature #body
            #runtime.block_on(#name(#(#names),*))
        }
    }
}

/// The expression that builds the runtime.
fn runtime(options: &Options) -> TokenStream {
    let facade = match &options.facade {
        Some(path) => quote! { #path },
        None => quote! { ::shopfloor },
    };
    let constructor = match options.flavor {
        Flavor::CurrentThread => quote! { new_current_thread() },
        Flavor::MultiThread => quote! { new_multi_thread() },
    };
    let worker_threads = options.worker_threads.map(|count| quote! { .worker_threads(#count) });
    quote! {
        #facade::runtime::Builder::#constructor
            #worker_threads
            .enable_all()
            .build()
            .expect("the runtime cannot be started")
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn expansion(attribute: Attribute, arguments: &str, item: &str) -> String {
        let tokens = |text| TokenStream::from_str(text).expect("the sample is made of tokens");
        expand(attribute, tokens(arguments), tokens(item)).to_string()
    }

    fn same(left: &str, right: &str) {
        let right = TokenStream::from_str(right).expect("the expectation is made of tokens").to_string();
        assert_eq!(left, right);
    }

    #[test]
    fn main_keeps_attributes_visibility_return_type_and_body() {
        same(
            &expansion(
                Attribute::Main,
                "worker_threads = 3",
                "#[allow(unused)] pub(crate) async fn main() -> Result<(), Error> { serve().await }",
            ),
            r#"#[allow(unused)] pub(crate) fn main() -> Result<(), Error> {
                async fn main() -> Result<(), Error> { serve().await }
                ::shopfloor::runtime::Builder::new_multi_thread()
                    .worker_threads(3usize)
                    .enable_all()
                    .build()
                    .expect("the runtime cannot be started")
                    .block_on(main())
            }"#,
        );
    }

    #[test]
    fn a_test_becomes_a_test_of_the_harness_on_its_own_thread() {
        same(
            &expansion(Attribute::Test, "", "#[should_panic] async fn it_fails() { panic!() }"),
            r#"#[::core::prelude::v1::test] #[should_panic] fn it_fails() {
                async fn it_fails() { panic!() }
                ::shopfloor::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("the runtime cannot be started")
                    .block_on(it_fails())
            }"#,
        );
    }

    #[test]
    fn arguments_are_handed_to_the_pattern_that_takes_them_apart() {
        let expansion = expansion(Attribute::Main, "", "async fn run((a, b): (u8, u8), c: &str) {}");
        assert!(expansion.contains("fn run (argument_0 : (u8 , u8) , c : & str)"), "{expansion}");
        assert!(expansion.contains("async fn run ((a , b) : (u8 , u8) , c : & str)"), "{expansion}");
        assert!(expansion.ends_with("block_on (run (argument_0 , c)) }"), "{expansion}");
    }

    #[test]
    fn arguments_keep_their_names_unless_they_hide_the_function() {
        let expansion = expansion(Attribute::Main, "", "async fn run(mut count: u8, ref it: u8, run: u8) {}");
        let outer = "fn run (count : u8 , argument_1 : u8 , argument_2 : u8)";
        assert!(expansion.starts_with(outer), "{expansion}");
    }

    #[test]
    fn a_wrong_option_is_one_error_and_the_function_stays() {
        let expansion = expansion(Attribute::Main, "flavour = 1", "async fn main() { serve().await }");
        assert_eq!(expansion.matches("compile_error").count(), 1, "{expansion}");
        assert!(expansion.contains("serve () . await"), "{expansion}");
    }

    #[test]
    fn a_wrong_function_is_one_error_and_its_name_stays() {
        let expansion = expansion(Attribute::Main, "", "async fn main(count: usize) {}");
        assert_eq!(expansion.matches("compile_error").count(), 1, "{expansion}");
        assert!(expansion.ends_with("fn main () { }"), "{expansion}");
    }

    #[test]
    fn an_item_that_is_no_function_is_one_error_and_stays() {
        let expansion = expansion(Attribute::Main, "", "struct Main;");
        assert_eq!(expansion.matches("compile_error").count(), 1, "{expansion}");
        assert!(expansion.ends_with("struct Main ;"), "{expansion}");
    }
}
