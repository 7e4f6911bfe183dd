//! Certificates and TLS settings of both ends: TLS 1.3 with ring, nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// Why a server has no TLS identity; each names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: give the path of a readable PEM file")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: give the server a folder that it may write to")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} holds no certificate in PEM form: give the file of the certificate chain")]
    NoCertificate { path: PathBuf, source: pem::Error },
    #[error("{path} holds no private key in PEM form: give the file of the certificate's key")]
    NoKey { path: PathBuf, source: pem::Error },
    #[error("{path} does not say when its certificate ends: delete it and a new one is made")]
    NoExpiry { path: PathBuf },
    #[error("{name:?} cannot stand in a certificate: give a host name or an address")]
    #[cfg(feature = "server")]
    Name { name: String, source: rcgen::Error },
    #[error("making a certificate failed")]
    #[cfg(feature = "server")]
    Make(#[from] rcgen::Error),
    #[error("the certificate and the key do not belong together: give the two of one pair")]
    Pair(#[source] rustls::Error),
}

/// What a server shows and proves: a certificate chain and its key.
#[derive(Debug)]
pub struct Identity {
    /// The server's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Identity {
    /// Loads a certificate chain and its key from PEM files, which may be one file.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read(certificate)?;
        let key_pem = read(key)?;
        let identity = Self::from_pem(&chain, certificate, &key_pem, key)?;
        identity.server_config(&[])?;
        Ok(identity)
    }

    pub(super) fn from_pem(
        chain: &[u8],
        chain_path: &Path,
        key: &[u8],
        key_path: &Path,
    ) -> Result<Self, TlsError> {
        let no_certificate = |source| TlsError::NoCertificate { path: chain_path.into(), source };
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(no_certificate)?;
        if chain.is_empty() {
            return Err(no_certificate(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|source| TlsError::NoKey { path: key_path.into(), source })?;
        Ok(Self { chain, key })
    }

    /// The settings of a server that speaks these application protocols.
    pub fn server_config(&self, alpn: &[&[u8]]) -> Result<rustls::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring has TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        // Connections live for hours: remembering them to shorten the next handshake is not worth
        // the memory.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source })
}

/// The SHA-256 of a certificate, by which browsers and our clients pin it.
#[must_use]
pub fn certificate_hash(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    let sha256 = suite.expect("it is a suite of TLS 1.3").common.hash_provider;
    sha256.hash(certificate).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Which servers a client believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those whose certificate has one of these SHA-256 hashes.
    Hashes(Vec<[u8; 32]>),
    /// Anyone on a loopback address, for development; other addresses are refused.
    AnyOnLoopback,
}

/// The settings of a client that speaks one application protocol.
pub(super) fn client_config(trust: &Trust, alpn: &[u8]) -> rustls::ClientConfig {
    let provider = provider();
    let verifier = Verifier { trust: trust.clone(), provider: Arc::clone(&provider) };
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Believes by hash; the name in the certificate says nothing then.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trust {
            Trust::AnyOnLoopback => Ok(ServerCertVerified::assertion()),
            Trust::Hashes(hashes) if hashes.contains(&certificate_hash(certificate)) => {
                Ok(ServerCertVerified::assertion())
            }
            Trust::Hashes(_) => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
