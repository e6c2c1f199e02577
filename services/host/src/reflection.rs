//! Reflection, in the version of today and in the one that older tools still speak.

use tonic::service::RoutesBuilder;
use tonic_reflection::server::Builder;

/// The names under which reflection itself is served.
pub(crate) const NAMES: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Adds both versions; they list these services and describe everything in the descriptor sets.
///
/// # Errors
/// When a descriptor set cannot be read.
pub(crate) fn add(
    routes: &mut RoutesBuilder,
    names: &[String],
    descriptors: &[&[u8]],
) -> anyhow::Result<()> {
    let builder = || {
        let mut builder = Builder::configure()
            .register_encoded_file_descriptor_set(crate::health::pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(
                tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            )
            .include_reflection_service(false);
        for set in descriptors {
            builder = builder.register_encoded_file_descriptor_set(set);
        }
        let names = names.iter();
        names.fold(builder, |builder, name| builder.with_service_name(name))
    };
    routes
        .add_service(crate::gzip!(builder().build_v1()?))
        .add_service(crate::gzip!(builder().build_v1alpha()?));
    Ok(())
}
