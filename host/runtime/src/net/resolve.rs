//! From a host to the addresses that may be dialled.

use std::io;
use std::net::SocketAddr;

use tokio::net::lookup_host;
use url::{Host, Url};

use super::address::is_public;
use super::error::{NetError, NetErrorKind, Phase, shown_limit};
use super::phase::{Budget, OutOfTime};
use super::policy::Permission;

/// More addresses than this are not tried.
const MAX_ADDRESSES: usize = 8;

/// Resolves the host once. What comes back is dialled as it is and never resolved again, so a name that changes its
/// mind between check and use (DNS rebinding) gains nothing.
pub(super) async fn resolve(url: &Url, permission: Permission, budget: &Budget) -> Result<Vec<SocketAddr>, NetError> {
    let no_host = || NetError::new(Phase::Policy, NetErrorKind::Malformed, url, "no host");
    let port = url.port_or_known_default().ok_or_else(no_host)?;
    let found = match url.host().ok_or_else(no_host)? {
        Host::Ipv4(address) => vec![SocketAddr::from((address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((address, port))],
        Host::Domain(name) => look_up(url, name, port, budget).await?,
    };
    permitted(found, permission)
        .map_err(|refused| NetError::new(Phase::Dns, NetErrorKind::PrivateAddress, url, refused))
}

async fn look_up(url: &Url, name: &str, port: u16, budget: &Budget) -> Result<Vec<SocketAddr>, NetError> {
    let error = |kind, detail: String| NetError::new(Phase::Dns, kind, url, detail);
    match budget.within(budget.limits.dns, lookup_host((name, port))).await {
        Ok(Ok(found)) => Some(found.collect())
            .filter(|found: &Vec<_>| !found.is_empty())
            .ok_or_else(|| error(NetErrorKind::UnknownHost, "no address".to_owned())),
        Ok(Err(cause)) => Err(error(lookup_kind(&cause), cause.to_string())),
        Err(OutOfTime(limit)) => Err(error(NetErrorKind::DnsTimeout, shown_limit(limit))),
    }
}

/// The addresses that may be dialled, in the resolver's order; otherwise the ones that may not, as text.
fn permitted(found: Vec<SocketAddr>, permission: Permission) -> Result<Vec<SocketAddr>, String> {
    let (mut kept, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| match permission {
        Permission::AnyAddress => true,
        Permission::PublicAddressOnly => is_public(address.ip()),
    });
    if kept.is_empty() {
        return Err(refused.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", "));
    }
    kept.truncate(MAX_ADDRESSES);
    Ok(kept)
}

/// Whether the resolver knows that there is no such host. `std` passes on the resolver's text and no code, except on
/// Windows (WSAHOST_NOT_FOUND 11001, WSANO_DATA 11004).
fn lookup_kind(cause: &io::Error) -> NetErrorKind {
    const NO_SUCH_HOST: [&str; 5] = [
        "Name or service not known",                    // glibc EAI_NONAME
        "No address associated with",                   // glibc EAI_NODATA
        "Name does not resolve",                        // musl EAI_NONAME
        "Name has no usable address",                   // musl EAI_NODATA
        "nodename nor servname provided, or not known", // macOS, BSD
    ];
    let text = cause.to_string();
    let known = matches!(cause.raw_os_error(), Some(11001 | 11004)) || NO_SUCH_HOST.iter().any(|it| text.contains(it));
    if known { NetErrorKind::UnknownHost } else { NetErrorKind::DnsFailed }
}

#[cfg(test)]
mod tests {
    use super::super::phase::PhaseLimits;
    use super::Permission::{AnyAddress, PublicAddressOnly};
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    async fn resolved(url: &str, permission: Permission) -> Result<Vec<SocketAddr>, NetErrorKind> {
        let budget = Budget::start(PhaseLimits::default());
        resolve(&Url::parse(url).unwrap(), permission, &budget).await.map_err(|error| error.kind)
    }

    #[test]
    fn a_bad_address_beside_a_good_one_is_never_dialled() {
        let found = addresses(&["169.254.169.254:443", "93.184.216.34:443", "[::1]:443"]);
        assert_eq!(permitted(found.clone(), PublicAddressOnly), Ok(addresses(&["93.184.216.34:443"])));
        assert_eq!(permitted(found.clone(), AnyAddress), Ok(found));
    }

    #[test]
    fn only_bad_addresses_are_named() {
        let found = addresses(&["10.0.0.1:443", "[fd00:ec2::254]:443"]);
        assert_eq!(permitted(found, PublicAddressOnly), Err("10.0.0.1, fd00:ec2::254".to_owned()));
    }

    #[test]
    fn few_of_many_addresses_are_tried() {
        let found = addresses(&["1.1.1.1:443"; 100]);
        assert_eq!(permitted(found, PublicAddressOnly).unwrap().len(), MAX_ADDRESSES);
    }

    #[tokio::test]
    async fn literal_addresses_are_checked_too() {
        assert_eq!(resolved("http://169.254.169.254/", PublicAddressOnly).await, Err(NetErrorKind::PrivateAddress));
        assert_eq!(resolved("http://[::ffff:10.0.0.1]/", PublicAddressOnly).await, Err(NetErrorKind::PrivateAddress));
        assert_eq!(resolved("http://127.0.0.1/", AnyAddress).await, Ok(addresses(&["127.0.0.1:80"])));
        assert_eq!(resolved("https://[::1]/", AnyAddress).await, Ok(addresses(&["[::1]:443"])));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_private() {
        assert_eq!(resolved("http://localhost/", PublicAddressOnly).await, Err(NetErrorKind::PrivateAddress));
    }

    #[test]
    fn an_unknown_host_is_told_from_a_failing_resolver() {
        let kind = |text: &str| lookup_kind(&io::Error::other(format!("failed to lookup address information: {text}")));
        assert_eq!(kind("Name or service not known"), NetErrorKind::UnknownHost);
        assert_eq!(kind("nodename nor servname provided, or not known"), NetErrorKind::UnknownHost);
        assert_eq!(kind("Temporary failure in name resolution"), NetErrorKind::DnsFailed);
    }
}
