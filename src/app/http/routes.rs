//! Every route of the public port but the page's files, and the document that describes them.

use std::sync::Arc;

use axum::http::Method;
use axum::routing::{MethodRouter, delete, get, post};

use super::{App, accounts, info, lobby, results, site};

/// The API in OpenAPI 3.1; a test holds it to [`routes`].
pub(super) const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// A way to ask for something. `label` names it in metrics.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    label: &'static str,
    pub(super) answer: MethodRouter<Arc<App>>,
}

/// All of them.
pub(super) fn routes() -> Vec<Route> {
    [
        (Method::GET, "/api/info", "info", get(info)),
        (Method::GET, "/api/openapi.json", "openapi", get(site::serve)),
        (Method::POST, "/api/guest", "guest", post(accounts::guest)),
        (Method::POST, "/api/register", "register", post(accounts::register)),
        (Method::POST, "/api/login", "login", post(accounts::login)),
        (Method::POST, "/api/refresh", "refresh", post(accounts::refresh)),
        (Method::GET, "/api/characters", "characters", get(accounts::characters)),
        (Method::POST, "/api/characters", "create_character", post(accounts::create_character)),
        (Method::GET, "/api/hall-of-fame", "hall_of_fame", get(accounts::hall_of_fame)),
        (Method::GET, "/api/leaderboard", "leaderboard", get(results::leaderboard)),
        (Method::GET, "/api/characters/{character}/duels", "duels", get(results::history)),
        (Method::POST, "/api/parties", "make_party", post(lobby::make_party)),
        (Method::GET, "/api/parties/{code}", "party", get(lobby::party)),
        (Method::POST, "/api/parties/{code}/join", "join_party", post(lobby::join_party)),
        (Method::POST, "/api/parties/{code}/leave", "leave_party", post(lobby::leave_party)),
        (Method::POST, "/api/matchmaking/tickets", "request_ticket", post(lobby::request)),
        (Method::GET, "/api/matchmaking/tickets/{ticket}", "ticket", get(lobby::ticket)),
        (Method::DELETE, "/api/matchmaking/tickets/{ticket}", "cancel", delete(lobby::cancel)),
        (
            Method::POST,
            "/api/matchmaking/tickets/{ticket}/take-up",
            "take_up",
            post(lobby::take_up),
        ),
        (Method::GET, "/content.json", "content", get(site::serve)),
    ]
    .map(|(method, path, label, answer)| Route { method, path, label, answer })
    .into()
}

/// The labels of [`routes`], for the measure around each request.
pub(super) struct Labels(Vec<(Method, &'static str, &'static str)>);

impl Labels {
    pub(super) fn of(routes: &[Route]) -> Self {
        Self(routes.iter().map(|it| (it.method.clone(), it.path, it.label)).collect())
    }

    /// The label of a request for the route with this path, whatever method it has: a closed set.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<&'static str> {
        let of_path = || self.0.iter().filter(|(_, known, _)| *known == path);
        let of_method = of_path().find(|(known, _, _)| known == method);
        of_method.or_else(|| of_path().next()).map(|&(_, _, label)| label)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;

    fn described() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn the_document_has_the_routes_there_are() {
        let document = described();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let mut said = BTreeSet::new();
        for (path, ways) in document["paths"].as_object().unwrap() {
            for method in ways.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                said.insert((path.clone(), method.to_uppercase()));
            }
        }
        let all = routes();
        let there: BTreeSet<_> =
            all.iter().map(|it| (it.path.to_owned(), it.method.to_string())).collect();
        assert_eq!(said, there);
        let labels: BTreeSet<_> = all.iter().map(|it| it.label).collect();
        assert_eq!(labels.len(), all.len());
    }

    #[test]
    fn every_answer_of_the_document_has_the_name_of_its_request() {
        let document = described();
        let named = json!({ "$ref": "#/components/headers/RequestId" });
        let mut count = 0;
        for (path, ways) in document["paths"].as_object().unwrap() {
            for (method, way) in ways.as_object().unwrap() {
                for (status, answer) in way["responses"].as_object().unwrap() {
                    let pointer = answer["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
                    let answer = pointer.map_or(answer, |to| document.pointer(to).unwrap());
                    let header = &answer["headers"]["X-Request-Id"];
                    assert_eq!(*header, named, "{method} {path} {status}");
                    count += 1;
                }
            }
        }
        assert!(count > routes().len());
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn walk(value: &Value, document: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(to)) = fields.get("$ref") {
                        let pointer = to.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{to}");
                    }
                    fields.values().for_each(|value| walk(value, document));
                }
                Value::Array(values) => values.iter().for_each(|value| walk(value, document)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let document = described();
        walk(&document, &document);
    }
}
