//! A certificate authority of this run, and a certificate for `localhost`. Both are new in each run and never leave the
//! machine.

use std::{error::Error, fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

/// Creates both, and writes the certificate of the authority as PEM.
pub fn acceptor(authority_file: &Path) -> Result<TlsAcceptor, Box<dyn Error>> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    // The default name would be that of the other certificate too, which would then look self-signed.
    authority.distinguished_name.push(DnType::CommonName, "gatewatch benchmark");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    fs::write(authority_file, authority.self_signed(&authority_key)?.pem())?;

    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    // Python 3.13 and later ask for it.
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &Issuer::new(authority, authority_key))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
