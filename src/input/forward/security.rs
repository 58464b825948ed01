//! The `<security>` section: who may send.

use crate::config::{Element, Refused};
use crate::forward::{Client as Known, Guard};
use crate::net::{Network, resolve_now};
use crate::plugin::Context;
use anyhow::Context as _;

crate::section! {
    /// Who may send.
    pub struct Security {
        /// The name of this server in the handshake.
        pub self_hostname: String,
        /// What both sides know.
        pub shared_key: String [secret],
        /// Whether users have to show a password.
        pub user_auth: bool = "false",
        /// Whether peers may send that no client section names.
        pub allow_anonymous_source: bool = "true",
    }
    sections { "user": many(User), "client": many(Client) }
}

crate::section! {
    /// A user who may send.
    pub struct User {
        /// The name.
        pub username: String,
        /// The password.
        pub password: String [secret],
    }
}

crate::section! {
    /// Peers that may send.
    pub struct Client {
        /// Their address or name.
        pub host: Option<String>,
        /// Their network.
        pub network: Option<String>,
        /// What they and we know.
        pub shared_key: Option<String> [secret],
        /// Which users may send from there.
        pub users: Vec<String> = "[]",
    }
}

/// The section, checked; names of hosts are not addresses yet.
#[derive(Clone, Debug)]
pub struct Rules {
    guard: Guard,
    clients: Vec<(Place, Option<String>, Vec<String>)>,
}

#[derive(Clone, Debug)]
enum Place {
    Host(String),
    Network(Network),
}

impl Rules {
    /// Of an input's element, if it has the section.
    pub fn of(element: &Element, context: &Context<'_>) -> Result<Option<Rules>, Refused> {
        let Some(section) = element.section("security") else { return Ok(None) };
        let diagnostics = context.diagnostics;
        let security = Security::read(section, diagnostics);
        let users: Vec<_> = section.sections("user").into_iter().map(|user| User::read(user, diagnostics)).collect();
        let clients: Vec<_> = section.sections("client").into_iter().map(|client| client_of(client, context)).collect();
        let (security, users) = (security?, users.into_iter().collect::<Result<Vec<_>, _>>()?);
        let clients = clients.into_iter().collect::<Result<Vec<_>, _>>()?;
        let refuse = |message: &str| Err(context.refuse("FLM0654", section.span, message));
        if security.user_auth && users.is_empty() {
            return refuse("<user> sections required if user_auth enabled");
        }
        if !security.allow_anonymous_source && clients.is_empty() {
            return refuse("<client> sections required if allow_anonymous_source disabled");
        }
        let guard = Guard {
            self_hostname: security.self_hostname,
            shared_key: security.shared_key,
            user_auth: security.user_auth,
            allow_anonymous_source: security.allow_anonymous_source,
            users: users.into_iter().map(|user| (user.username, user.password)).collect(),
            clients: Vec::new(),
        };
        Ok(Some(Rules { guard, clients }))
    }

    /// Looks up the hosts; an error names the one that has no address.
    pub fn resolve(&self) -> anyhow::Result<Guard> {
        let mut guard = self.guard.clone();
        for (place, shared_key, users) in &self.clients {
            let network = match place {
                Place::Network(network) => *network,
                Place::Host(host) => Network::of(resolve_now(host).with_context(|| format!("host '{host}' cannot be resolved"))?),
            };
            guard.clients.push(Known { network, shared_key: shared_key.clone(), users: users.clone() });
        }
        Ok(guard)
    }
}

fn client_of(section: &Element, context: &Context<'_>) -> Result<(Place, Option<String>, Vec<String>), Refused> {
    let client = Client::read(section, context.diagnostics)?;
    let refuse = |message: String| Err(context.refuse("FLM0654", section.span, message));
    let place = match (client.host, client.network) {
        (Some(_), Some(_)) => return refuse("both of 'host' and 'network' are specified for client".to_owned()),
        (None, None) => return refuse("Either of 'host' and 'network' must be specified for client".to_owned()),
        (Some(host), None) => Place::Host(host),
        (None, Some(network)) => match Network::parse(&network) {
            Some(network) => Place::Network(network),
            None => return refuse(format!("network '{network}' address format is invalid")),
        },
    };
    Ok((place, client.shared_key, client.users))
}
