//! Why a FHIR server may not be able to fetch what we serve.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::{Host, Url};

/// Sentences for people whose files nobody fetches: what in the three addresses may be the reason, and what to do.
/// Empty when the addresses look right; then a firewall is the likeliest.
pub fn reachability_hint(bind: SocketAddr, advertise: &Url, server: &Url) -> Vec<String> {
    let place = Place::of(advertise);
    let server_place = Place::of(server);
    let port = bind.port();
    let hints = [
        meaningless(place, advertise, port),
        other_loopback(place, server_place, advertise, server, port),
        container(place, server_place, port),
        only_local(place, bind, advertise),
        only_private(place, server_place, advertise, server),
        elsewhere(place, bind, advertise),
        tls(bind, advertise),
    ];
    hints.into_iter().flatten().collect()
}

/// From where a host can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// From itself only.
    Loopback,
    /// From its own network; so too a name without a dot, such as a container's.
    Private,
    /// From anywhere, as far as the address tells.
    Public,
    /// From nowhere: `0.0.0.0` is where to listen, not where to connect to.
    Unspecified,
}

impl Place {
    fn of(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) => Self::of_name(name.trim_end_matches('.')),
            Some(Host::Ipv4(address)) => Self::of_address(address.into()),
            Some(Host::Ipv6(address)) => Self::of_address(address.into()),
            None => Self::Public,
        }
    }

    /// RFC 6761 §6.3 (`localhost`), RFC 6762 (`local`); `internal` is reserved for private use by ICANN.
    fn of_name(name: &str) -> Self {
        match name.rsplit('.').next() {
            Some("localhost") => Self::Loopback,
            Some("internal" | "local") => Self::Private,
            _ if !name.contains('.') => Self::Private,
            _ => Self::Public,
        }
    }

    fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_unspecified() => Self::Unspecified,
            address if address.is_loopback() => Self::Loopback,
            IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() || is_shared(v4) => Self::Private,
            IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Self::Private,
            _ => Self::Public,
        }
    }
}

/// Behind a carrier's NAT: 100.64.0.0/10 (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..=127, ..])
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("no host")
}

fn meaningless(place: Place, advertise: &Url, port: u16) -> Option<String> {
    (place == Place::Unspecified).then(|| {
        format!(
            "{} is an address to listen on, not one to connect to: name this machine as the FHIR server sees it, \
             --advertise http://THIS-MACHINE:{port}.",
            host(advertise)
        )
    })
}

fn other_loopback(place: Place, server_place: Place, advertise: &Url, server: &Url, port: u16) -> Option<String> {
    (place == Place::Loopback && server_place != Place::Loopback).then(|| {
        format!(
            "To the FHIR server on {}, {} is the FHIR server itself, not this machine: \
             --serve 0.0.0.0:{port} --advertise http://THIS-MACHINE:{port}.",
            host(server),
            host(advertise)
        )
    })
}

fn container(place: Place, server_place: Place, port: u16) -> Option<String> {
    (place == Place::Loopback && server_place == Place::Loopback).then(|| {
        format!(
            "If the FHIR server runs in a container, a loopback address is the container itself: start the container with \
             --network host, or use --serve 0.0.0.0:{port} --advertise http://host.docker.internal:{port} \
             (on Linux the container also needs --add-host=host.docker.internal:host-gateway)."
        )
    })
}

fn only_local(place: Place, bind: SocketAddr, advertise: &Url) -> Option<String> {
    (bind.ip().to_canonical().is_loopback() && place != Place::Loopback).then(|| {
        format!(
            "We listen on {bind}, which only this machine reaches: --serve 0.0.0.0:{}, unless something on this machine \
             forwards {} to it.",
            bind.port(),
            host(advertise)
        )
    })
}

fn only_private(place: Place, server_place: Place, advertise: &Url, server: &Url) -> Option<String> {
    (place == Place::Private && server_place == Place::Public).then(|| {
        format!(
            "{} can only be reached from its own network; if {} is outside, put the files where it can read them (a web \
             server, a bucket) and name their URLs, or advertise a public tunnel.",
            host(advertise),
            host(server)
        )
    })
}

/// An address or port that is not the one listened on. Under `https` a proxy stands between anyway, see [`tls`].
fn elsewhere(place: Place, bind: SocketAddr, advertise: &Url) -> Option<String> {
    if advertise.scheme() != "http" || place == Place::Unspecified {
        return None;
    }
    let port = advertise.port_or_known_default()?;
    let advertised = match advertise.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(address.to_canonical()),
        Host::Domain(_) => None,
    };
    let ip = bind.ip().to_canonical();
    // A loopback listener has its own sentence.
    let other_address = !ip.is_unspecified() && !ip.is_loopback() && advertised.is_some_and(|address| address != ip);
    (port != bind.port() || other_address).then(|| {
        format!(
            "{}:{port} is advertised, but we listen on {bind}: something must forward the one to the other.",
            host(advertise)
        )
    })
}

fn tls(bind: SocketAddr, advertise: &Url) -> Option<String> {
    (advertise.scheme() == "https").then(|| {
        format!(
            "https is advertised, but we speak plain HTTP on {bind}: a proxy that ends TLS for {} must stand in front.",
            host(advertise)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMO: &str = "http://192.168.1.5:8765";

    fn hints(bind: &str, advertise: &str, server: &str) -> Vec<String> {
        reachability_hint(bind.parse().unwrap(), &Url::parse(advertise).unwrap(), &Url::parse(server).unwrap())
    }

    #[test]
    fn addresses_that_fit_give_no_hint() {
        assert_eq!(hints("0.0.0.0:8765", DEMO, "http://192.168.1.9/fhir"), [""; 0]);
        assert_eq!(hints("192.168.1.5:8765", DEMO, "http://hapi:8080/fhir"), [""; 0]);
        assert_eq!(hints("[::]:80", "http://files.example.org", "https://fhir.example.org"), [""; 0]);
        assert_eq!(hints("0.0.0.0:8765", "http://host.docker.internal:8765", "http://localhost:8080/fhir"), [""; 0]);
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        let server = "https://fhir.example.org/fhir";
        let local = "http://localhost:8080/fhir";
        let cases = [
            ("0.0.0.0:8765", "http://0.0.0.0:8765", local, "is an address to listen on"),
            ("[::]:8765", "http://[::]:8765", local, "is an address to listen on"),
            ("127.0.0.1:8765", "http://127.0.0.1:8765", server, "is the FHIR server itself"),
            ("127.0.0.1:8765", "http://[::ffff:127.0.0.1]:8765", "http://10.0.0.1/", "is the FHIR server itself"),
            ("127.0.0.1:8765", "http://127.0.0.1:8765", local, "--add-host=host.docker.internal:host-gateway"),
            ("127.0.0.1:8765", "http://files.localhost:8765", "http://127.0.0.2", "runs in a container"),
            ("127.0.0.1:8765", DEMO, "http://192.168.1.9", "which only this machine reaches"),
            ("0.0.0.0:8765", DEMO, server, "can only be reached from its own network"),
            ("0.0.0.0:8765", "http://100.64.0.1:8765", server, "can only be reached from its own network"),
            ("0.0.0.0:8765", "http://laptop:8765", server, "can only be reached from its own network"),
            ("0.0.0.0:8765", "http://192.168.1.5", "http://192.168.1.9", "192.168.1.5:80 is advertised"),
            ("10.0.0.2:8765", DEMO, "http://192.168.1.9", "must forward the one to the other"),
            ("0.0.0.0:8765", "https://files.example.org", server, "a proxy that ends TLS"),
        ];
        for (bind, advertise, server, wanted) in cases {
            let hints = hints(bind, advertise, server);
            assert!(matches!(&hints[..], [hint] if hint.contains(wanted)), "{bind} {advertise} {server}: {hints:?}");
        }
    }
}
