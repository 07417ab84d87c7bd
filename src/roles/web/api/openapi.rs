//! The OpenAPI file, made from the table of calls: `docs/openapi.json`.

use super::routes::{ApiAccess, ApiRow, ROWS};
use ribbit_state::Scope;
use serde_json::{Map, Value, json};

/// Parameters of the pages of a list.
const PAGES: &[&str] = &["max_id", "since_id", "min_id", "limit"];
/// Parameters of the calls that read any, by method and path. Everything else is ignored.
const PARAMETERS: &[(&str, &str, &[&str])] = &[
    ("POST", "/api/v1/apps", &["client_name", "redirect_uris", "scopes", "website"]),
    ("POST", "/api/v1/accounts", &["username", "email", "password", "agreement", "locale"]),
    (
        "POST",
        "/oauth/token",
        &[
            "grant_type",
            "client_id",
            "client_secret",
            "redirect_uri",
            "scope",
            "code",
            "code_verifier",
            "username",
            "password",
        ],
    ),
    ("POST", "/oauth/revoke", &["client_id", "client_secret", "token"]),
    ("GET", "/api/v1/streaming", &["stream", "tag"]),
    ("GET", "/api/v1/streaming/hashtag", &["tag"]),
    ("GET", "/api/v1/streaming/hashtag/local", &["tag"]),
    (
        "PATCH",
        "/api/v1/accounts/update_credentials",
        &["display_name", "note", "fields_attributes", "source[privacy]"],
    ),
    ("GET", "/api/v1/accounts/lookup", &["acct"]),
    ("GET", "/api/v1/accounts/search", &["q", "following", "limit", "offset"]),
    ("GET", "/api/v1/accounts/relationships", &["id"]),
    ("GET", "/api/v1/accounts", &["id"]),
    (
        "GET",
        "/api/v1/accounts/{id}/statuses",
        &[
            "max_id",
            "since_id",
            "min_id",
            "limit",
            "pinned",
            "exclude_replies",
            "exclude_reblogs",
            "tagged",
            "only_media",
        ],
    ),
    ("GET", "/api/v1/accounts/{id}/followers", PAGES),
    ("GET", "/api/v1/accounts/{id}/following", PAGES),
    ("GET", "/api/v1/mutes", PAGES),
    ("GET", "/api/v1/blocks", PAGES),
    ("GET", "/api/v1/timelines/home", PAGES),
    ("GET", "/api/v1/timelines/public", &["max_id", "since_id", "min_id", "limit", "remote", "only_media"]),
    (
        "GET",
        "/api/v1/timelines/tag/{name}",
        &["max_id", "since_id", "min_id", "limit", "all", "remote", "only_media"],
    ),
    ("GET", "/api/v1/favourites", PAGES),
    ("GET", "/api/v1/statuses", &["id"]),
    ("POST", "/api/v1/statuses", &["status", "in_reply_to_id", "visibility"]),
    (
        "GET",
        "/api/v1/notifications",
        &["max_id", "since_id", "min_id", "limit", "types", "exclude_types", "account_id"],
    ),
    ("GET", "/api/v1/markers", &["timeline"]),
    ("POST", "/api/v1/markers", &["home[last_read_id]", "notifications[last_read_id]"]),
    ("GET", "/api/v1/conversations", PAGES),
    ("GET", "/api/v2/search", &["q", "type", "limit", "offset", "max_id", "account_id"]),
    ("POST", "/api/v1/reports", &["account_id", "status_ids", "comment"]),
];

/// Returns the description of all calls in OpenAPI 3.1.
pub fn document() -> Value {
    let mut paths = Map::new();
    for row in ROWS {
        let path = paths.entry(row.path).or_insert_with(|| path_item(row.path));
        path[row.method.to_ascii_lowercase()] = operation(row);
    }
    let scopes: Map<String, Value> =
        Scope::ALL.iter().map(|scope| (scope.name().to_string(), json!(""))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ribbit",
            "description": "The part of the Mastodon client API that ribbit serves.",
            "version": ribbit_ui::api::instance::api_version(),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "flows": {
                        "authorizationCode": {
                            "authorizationUrl": "/oauth/authorize",
                            "tokenUrl": "/oauth/token",
                            "scopes": scopes,
                        },
                    },
                },
            },
            "responses": {
                "Error": {
                    "description": "The reason in words.",
                    "content": { "application/json": { "schema": {
                        "type": "object",
                        "required": ["error"],
                        "properties": {
                            "error": { "type": "string" },
                            "error_description": { "type": "string" },
                        },
                    } } },
                },
            },
        },
    })
}

/// Returns the part of a path that its calls share: its parameter.
fn path_item(path: &str) -> Value {
    let named = path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name);
    match named {
        Some(name) => {
            json!({ "parameters": [{ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }] })
        }
        None => json!({}),
    }
}

fn operation(row: &ApiRow) -> Value {
    let scopes: Vec<&str> = row.scope.iter().map(|scope| scope.name()).collect();
    let is_stream = row.path.starts_with("/api/v1/streaming") && row.access == ApiAccess::Person;
    let kind = if is_stream {
        "text/event-stream"
    } else if row.path == "/api/v1/streaming/health" {
        "text/plain"
    } else {
        "application/json"
    };
    let named = PARAMETERS.iter().find(|(method, path, _)| (*method, *path) == (row.method, row.path));
    let named = named.map_or(&[] as &[&str], |(_, _, names)| names);
    let mut operation = json!({
        "summary": row.words.trim(),
        "responses": {
            "200": { "description": "Done.", "content": { kind: {} } },
            "default": { "$ref": "#/components/responses/Error" },
        },
    });
    if row.access != ApiAccess::Anyone {
        operation["security"] = json!([{ "token": scopes }]);
    }
    if row.method == "GET" && !named.is_empty() {
        let parameter = |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
        operation["parameters"] = named.iter().map(parameter).collect();
    }
    if row.method != "GET" {
        let properties: Map<String, Value> = named.iter().map(|name| (name.to_string(), json!({}))).collect();
        let any = json!({ "schema": { "type": "object", "properties": properties } });
        let content = json!({ "application/json": any, "application/x-www-form-urlencoded": any });
        operation["requestBody"] = json!({ "content": content });
    }
    operation
}
