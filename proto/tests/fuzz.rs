//! Policies as bytes that nobody has chosen: what compiles is read, or refused with its place, and what is
//! read keeps the rules that the mesh relies on.

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the build's own module, read here for its checks"
)]
#[path = "../build/policy.rs"]
mod policy;

use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

const OPTIONS: &str = include_str!("../cleave/mesh/v1/policy.proto");

/// The contract of one service, whose one method has these options.
struct Contract(String);

impl FileResolver for Contract {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "cleave/mesh/v1/policy.proto" => File::from_source(name, OPTIONS),
            "shop/v1/order.proto" => File::from_source(name, &self.0),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn compile(options: &str) -> Option<DescriptorPool> {
    let source = format!(
        "syntax = \"proto3\";\npackage shop.v1;\nimport \"cleave/mesh/v1/policy.proto\";\n\
         message GetOrderRequest {{}}\nmessage GetOrderResponse {{}}\n\
         service OrderService {{\n  rpc GetOrder(GetOrderRequest) returns (GetOrderResponse) {{{options}\n  }}\n}}\n"
    );
    let mut resolver = ChainFileResolver::new();
    resolver.add(Contract(source));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("shop/v1/order.proto").ok()?;
    // By the bytes, because only they keep options that are extensions.
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).ok()
}

#[test]
fn policy_options() {
    bolero::check!()
        .with_iterations(100)
        .for_each(|bytes: &[u8]| {
            let Ok(text) = std::str::from_utf8(bytes) else {
                return;
            };
            let Some(pool) = compile(text) else {
                return;
            };
            match policy::read(&pool) {
                Ok(policies) => {
                    for policy in policies {
                        assert!(policy.path.starts_with('/'));
                        assert!(!(policy.retry.is_some() && policy.hedging.is_some()));
                    }
                }
                Err(faults) => {
                    assert!(!faults.is_empty());
                    for fault in faults {
                        assert!(fault.to_string().starts_with("shop/v1/order.proto:"));
                    }
                }
            }
        });
}
