//! Compiles small protos from memory, so that a test shows the contract it is about.

use std::collections::BTreeMap;

use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// Protos by file name.
struct InMemory(BTreeMap<String, String>);

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = self
            .0
            .get(name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, source)
    }
}

/// The descriptors of the given `(file name, source)` pairs and of what they import.
///
/// # Panics
/// When the protos do not compile: the test is wrong then.
pub fn compile(files: &[(&str, &str)]) -> DescriptorPool {
    let sources = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory(sources.collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    for (name, _) in files {
        if let Err(fault) = compiler.open_file(name) {
            panic!("{name} does not compile: {fault:?}");
        }
    }
    // By the bytes, because only they keep options that are extensions.
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice())
        .expect("protox encodes what it compiled")
}
