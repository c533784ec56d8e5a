// Makes the stubs of the .proto files in $PROTO_DIR, or into `proto` beside this file.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-env-changed=PROTO_DIR");
    let folder = PathBuf::from(std::env::var("PROTO_DIR").unwrap_or("proto".into()));
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(&[folder.join("pcap/v1/pcap_service.proto")], &[folder])
}
