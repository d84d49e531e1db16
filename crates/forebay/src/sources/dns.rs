//! Backends in the domain name system.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use plan::{BackendSource, DnsSource, Records};
use registry::find::{Answer, Intervals, LookUp, NoAnswer, Question, Target};
use tokio::time::{sleep, timeout};

use super::board::Board;

/// For one question to one name server.
const ANSWER: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// For a look with all its questions.
const LOOK: Duration = Duration::from_secs(15);

/// Looks the name up now, and again whenever the answer is no longer valid.
pub(super) async fn look(source: &BackendSource, name: &DnsSource, board: &Board) {
    let question = question(name);
    let intervals = Intervals {
        min: name.min_interval,
        max: name.max_interval,
    };
    loop {
        let wait = match ask(source, &question, name.resolver, board).await {
            Ok(answer) => {
                board.answers(source, answer.items);
                intervals.after_answer(answer.valid.unwrap_or_default())
            }
            Err(why) => intervals.after_failures(board.fails(source, &why)),
        };
        sleep(wait).await;
    }
}

fn question(source: &DnsSource) -> Question {
    let name = source.name.to_string();
    match source.records {
        Records::Addresses { port, weight } => Question::Addresses { name, port, weight },
        Records::Services => Question::Services { name },
    }
}

async fn ask(
    source: &BackendSource,
    question: &Question,
    at: Option<SocketAddr>,
    board: &Board,
) -> Result<Answer<registry::find::Place>, NoAnswer> {
    let names = Names::new(at)?;
    let known = board.places(source);
    let asked = question.ask(&names, &known);
    let late = |_| NoAnswer(format!("no answer within {LOOK:?}"));
    timeout(LOOK, asked).await.map_err(late)?
}

/// Name servers, as they are now: made anew for every look, so that what the
/// system says of them is never old.
struct Names {
    resolver: TokioResolver,
    /// Not those of the system, with their search list.
    is_given: bool,
}

impl Names {
    fn new(at: Option<SocketAddr>) -> Result<Self, NoAnswer> {
        let mut builder = match at {
            None => TokioResolver::builder_tokio(),
            Some(at) => {
                let provider = TokioRuntimeProvider::default();
                Ok(TokioResolver::builder_with_config(only(at), provider))
            }
        }
        .map_err(|error| NoAnswer(format!("the system names no name server: {error}")))?;
        let options = builder.options_mut();
        options.timeout = ANSWER;
        options.attempts = ATTEMPTS;
        options.cache_size = 0;
        let resolver = builder.build();
        let resolver = resolver.map_err(|error| NoAnswer(error.to_string()))?;
        Ok(Self {
            resolver,
            is_given: at.is_some(),
        })
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, NoAnswer> {
        let mut name = Name::from_ascii(name).map_err(|error| NoAnswer(error.to_string()))?;
        if self.is_given {
            name.set_fqdn(true);
        }
        match self.resolver.lookup(name, kind).await {
            Ok(found) => {
                let seconds = found.answers().iter().map(|record| record.ttl).min();
                Ok(Answer {
                    items: found
                        .answers()
                        .iter()
                        .filter_map(|r| pick(&r.data))
                        .collect(),
                    valid: seconds.map(|seconds| Duration::from_secs(seconds.into())),
                })
            }
            Err(error) => nothing(&error),
        }
    }
}

fn only(at: SocketAddr) -> ResolverConfig {
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    for connection in &mut server.connections {
        connection.port = at.port();
    }
    ResolverConfig::from_name_servers(vec![server])
}

/// That a name has no such record is a good answer, that there is no such name
/// is none: it is what mistakes look like.
fn nothing<T>(error: &NetError) -> Result<Answer<T>, NoAnswer> {
    let why = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NoError => {
                let seconds = none.negative_ttl.map(u64::from);
                return Ok(Answer {
                    items: Vec::new(),
                    valid: seconds.map(Duration::from_secs),
                });
            }
            ResponseCode::NXDomain => "there is no such name".to_owned(),
            code => format!("the name server says: {code}"),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server says: {code}"),
        NetError::Timeout => "the name server does not answer".to_owned(),
        error => error.to_string(),
    };
    Err(NoAnswer(why))
}

impl LookUp for Names {
    async fn ipv4(&self, name: &str) -> Result<Answer<Ipv4Addr>, NoAnswer> {
        let pick = |record: &RData| match record {
            RData::A(address) => Some(address.0),
            _ => None,
        };
        self.ask(name, RecordType::A, pick).await
    }

    async fn ipv6(&self, name: &str) -> Result<Answer<Ipv6Addr>, NoAnswer> {
        let pick = |record: &RData| match record {
            RData::AAAA(address) => Some(address.0),
            _ => None,
        };
        self.ask(name, RecordType::AAAA, pick).await
    }

    async fn services(&self, name: &str) -> Result<Answer<Target>, NoAnswer> {
        let pick = |record: &RData| match record {
            RData::SRV(service) => Some(Target {
                priority: service.priority,
                weight: service.weight,
                port: service.port,
                host: service.target.to_ascii(),
            }),
            _ => None,
        };
        self.ask(name, RecordType::SRV, pick).await
    }
}
